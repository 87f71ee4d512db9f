"""Draws docs/explain/loop.svg, the one drawing of the loop: `python docs/explain/draw_loop.py`.

A plain SVG with its own colours for light and dark, so that it shows wherever Markdown is shown, also without Mermaid.
A test says when the picture is older than this file.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from pathlib import Path

WIDTH, HEIGHT = 164, 92
COLUMN, ROW = 186, 134
LEFT, TOP = 16, 46

#: name → column, row, title, what it is (two lines), kind
BOXES: dict[str, tuple[int, int, str, tuple[str, str], str]] = {
    "device": (0, 1, "Device 设备", ("MQTT, HTTP", "HJ 212"), "out"),
    "door": (1, 1, "Door 接入口", ("who may publish", "what"), "part"),
    "stream": (2, 1, "Stream", ("stored, then", "acknowledged"), "store"),
    "sense": (3, 1, "Sense 感知", ("decode, check,", "flag"), "part"),
    "judge": (4, 1, "Judge 研判", ("derive, rules,", "state"), "part"),
    "postgres": (5, 1, "PostgreSQL", ("latest values,", "alarms, cursor"), "store"),
    "alarm": (6, 1, "Alarm 告警", ("with its", "evidence"), "fact"),
    "warning": (7, 1, "Warning 预警", ("signed by", "a person"), "fact"),
    "response": (8, 1, "Plan 响应", ("tasks for posts,", "receipts"), "fact"),
    "live": (5, 0, "Live stream", ("hints of", "what changed"), "part"),
    "page": (6, 0, "Pages 页面", ("map, desk,", "phone"), "out"),
    "case": (7, 0, "Case 案件", ("handled, closed", "with the truth"), "fact"),
    "score": (8, 0, "Score 评分", ("of the rule and", "its version"), "fact"),
    "aside": (2, 2, "Set aside", ("待处理数据: reason,", "fix, replay"), "fact"),
    "history": (3, 2, "History 历史", ("files, with their", "declared columns"), "out"),
    "lake": (4, 2, "Lake 数据湖", ("every reading,", "as of any time"), "store"),
    "check": (5, 2, "Recheck 复核", ("by another", "engine"), "part"),
}


def _middle(name: str) -> tuple[float, float]:
    column, row, *_ = BOXES[name]
    return LEFT + column * COLUMN + WIDTH / 2, TOP + row * ROW + HEIGHT / 2


def _left(name: str, shift: float = 0) -> tuple[float, float]:
    x, y = _middle(name)
    return x - WIDTH / 2, y + shift


def _right(name: str, shift: float = 0) -> tuple[float, float]:
    x, y = _middle(name)
    return x + WIDTH / 2, y + shift


def _top(name: str, shift: float = 0) -> tuple[float, float]:
    x, y = _middle(name)
    return x + shift, y - HEIGHT / 2


def _bottom(name: str, shift: float = 0) -> tuple[float, float]:
    x, y = _middle(name)
    return x + shift, y + HEIGHT / 2


def _ways() -> list[tuple[list[tuple[float, float]], str]]:
    """Each way as its corners, and `back` where it leads back into the loop."""
    straight = ("device", "door", "stream", "sense", "judge", "postgres", "alarm", "warning", "response")
    ways = [([_right(a), _left(b)], "") for a, b in pairwise(straight)]
    ways += [([_right(a), _left(b)], "") for a, b in (("live", "page"), ("case", "score"), ("history", "lake"))]
    ways += [([_right("lake"), _left("check")], ""), ([_bottom("judge"), _top("lake")], "")]
    ways += [([_top("postgres"), _bottom("live")], "")]
    between = LEFT + 6 * COLUMN + (WIDTH + COLUMN) / 2
    alarm, case = _right("alarm", -24), _left("case")
    ways += [([alarm, (between, alarm[1]), (between, case[1]), case], "")]
    check, alarm_below = _right("check"), _bottom("alarm")
    ways += [([check, (alarm_below[0], check[1]), alarm_below], "")]
    sense, lake, gap = _bottom("sense", 40), _top("lake", -50), TOP + ROW + HEIGHT + (ROW - HEIGHT) / 2
    ways += [([sense, (sense[0], gap), (lake[0], gap), lake], "")]
    low, aside = _bottom("sense", -40), _top("aside", 44)
    ways += [([low, (low[0], gap), (aside[0], gap), aside], "")]
    ways += [([_top("aside", -30), _bottom("stream", -30)], "back")]
    score, judge = _top("score"), _top("judge")
    ways += [([score, (score[0], 18), (judge[0], 18), judge], "back")]
    return ways


def drawing() -> str:
    """The SVG."""
    width, height = LEFT * 2 + 8 * COLUMN + WIDTH, TOP + 2 * ROW + HEIGHT + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-labelledby="t d">',
        '<title id="t">The loop: sense, judge, act, learn</title>',
        '<desc id="d">A reading goes from a device through door, stream, sense and judge into PostgreSQL and the lake. '
        "An alarm leads to a signed warning with response tasks, and to a case whose outcome scores the rule. "
        "What is refused is set aside and replayed; another engine recomputes the judgement from the lake.</desc>",
        "<style>text{font-family:system-ui,'Noto Sans CJK SC',sans-serif;fill:#182433;text-anchor:middle}"
        ".n{font-size:20px;font-weight:600}.s{font-size:16px;fill:#49566c}"
        "rect.page{fill:#fff}rect{stroke-width:2}.out{fill:#f1f3f6;stroke:#9ba9be}.part{fill:#e8f0fb;stroke:#1f5fa8}"
        ".store{fill:#e9f6ef;stroke:#1f7a4d}.fact{fill:#fdf2e3;stroke:#b3620b}"
        "path{fill:none;stroke:#49566c;stroke-width:2.5}.back{stroke-dasharray:8 6}"
        "marker path{fill:#49566c;stroke:none}"
        "@media(prefers-color-scheme:dark){text{fill:#e6ebf2}.s{fill:#aab6c8}rect.page{fill:#101826}"
        ".out{fill:#1c2736;stroke:#6b7a90}.part{fill:#16304f;stroke:#6ea8e8}.store{fill:#14372a;stroke:#5fc596}"
        ".fact{fill:#3d2a10;stroke:#eaa44f}path{stroke:#aab6c8}marker path{fill:#aab6c8}}</style>",
        '<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L10 5L0 10z"/></marker></defs>',
        f'<rect class="page" width="{width}" height="{height}"/>',
    ]
    for corners, kind in _ways():
        line = "L".join(f"{x:g} {y:g}" for x, y in corners)
        parts.append(f'<path{" class=" + chr(34) + kind + chr(34) if kind else ""} d="M{line}" marker-end="url(#a)"/>')
    for column, row, title, (first, second), kind in BOXES.values():
        x, y = LEFT + column * COLUMN, TOP + row * ROW
        parts += [
            f'<rect class="{kind}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="10"/>',
            f'<text class="n" x="{x + WIDTH / 2:g}" y="{y + 31}">{escape(title)}</text>',
            f'<text class="s" x="{x + WIDTH / 2:g}" y="{y + 57}">{escape(first)}</text>',
            f'<text class="s" x="{x + WIDTH / 2:g}" y="{y + 77}">{escape(second)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("loop.svg").write_text(drawing(), "utf-8")
