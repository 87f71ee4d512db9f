"""What a browser calls itself, in the few words by which its owner knows it: "Chrome · Windows"."""

from __future__ import annotations

#: mark in the User-Agent → name; the first that is found counts, since browsers name their ancestors too.
_BROWSERS = (
    ("MicroMessenger/", "WeChat 微信"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def describe_agent(agent: str) -> str:
    """Browser and system; what calls itself otherwise is quoted, shortened."""
    found = [next((name for mark, name in known if mark in agent), "") for known in (_BROWSERS, _SYSTEMS)]
    return " · ".join(filter(None, found)) or agent[:40] or "?"
