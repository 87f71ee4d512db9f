"""What every error of Zhiwan looks like: a code, a fact, a detail and a next step.

    CityError
    ├── InputRefused      what came from outside is wrong; the sender can mend it (HTTP 4xx)
    ├── PackBroken        a pack's declaration is wrong; its author can mend it
    └── PartUnavailable   a part of the platform does not answer; try again (HTTP 503)

A subclass states its four texts as class attributes; `{names}` in them are filled from the keywords of the
constructor. Codes are never reused.
"""

from __future__ import annotations

from typing import Any, ClassVar


class CityError(Exception):
    """Base of all errors a person or a client may see."""

    code: ClassVar[str] = "CITY-000"
    fact: ClassVar[str] = "something went wrong"
    detail: ClassVar[str] = ""
    hint: ClassVar[str] = ""

    def __init__(self, **values: Any) -> None:
        self.values = values
        super().__init__(f"{self.code}: {self._fill(self.fact)}")

    def _fill(self, text: str) -> str:
        return text.format_map(_Shown(self.values))

    def as_dict(self) -> dict[str, str]:
        """The four texts, ready for JSON, a page or a log line."""
        return {
            "code": self.code,
            "fact": self._fill(self.fact),
            "detail": self._fill(self.detail),
            "hint": self._fill(self.hint),
        }

    def __str__(self) -> str:
        texts = self.as_dict()
        sentences = (f"{texts['code']}: {texts['fact']}", texts["detail"], texts["hint"])
        return " ".join(text if text.endswith((".", "?", "!")) else f"{text}." for text in sentences if text)


class _Shown(dict[str, Any]):
    """A missing name shows as `?`: an error text must never hide the error it tells of."""

    def __missing__(self, key: str) -> str:
        return "?"


class InputRefused(CityError):
    """Input from outside that is refused as a whole or row by row."""


class PackBroken(CityError):
    """A declaration in a pack or a place that cannot be used."""


class PartUnavailable(CityError):
    """A part of the platform (database, bus, lake) does not answer."""
