"""What judging refuses, and how it says so.

CityError
└── PackBroken
    ├── ExpressionRefused   JUDGE-001   an expression outside the subset, with its position and the next step
    └── RuleRefused         JUDGE-002   a rule, derive step or indicator that does not fit its pack
"""

from __future__ import annotations

from zhiwan.kernel.facts.errors import PackBroken


class ExpressionRefused(PackBroken):
    """An expression that is not in our small language. `position` counts characters from 0."""

    code = "JUDGE-001"
    fact = '{place}expression "{text}" is refused at character {position}: {problem}'
    detail = "Expressions compare and calculate; they know no tables, no side effects and no casts."
    hint = "{advice}"

    def __init__(self, *, text: str, position: int, problem: str, advice: str) -> None:
        super().__init__(text=text, position=position, problem=problem, advice=advice, place="")
        self.position = position
        self.key = ""

    def found_in(self, place: str, key: str = "") -> ExpressionRefused:
        """The same refusal, saying which declaration and key the expression stands in."""
        self.key = key
        self.values["place"] = f"{place}, {key}: " if key else f"{place}: "
        self.args = (f"{self.code}: {self._fill(self.fact)}",)
        return self


class RuleRefused(PackBroken):
    """A declaration whose expressions are sound each by itself but do not fit together or into their pack."""

    code = "JUDGE-002"
    fact = '{what} "{id}" cannot be used: {problem}'
    hint = "{advice}"

    def __init__(self, *, what: str, id: str, problem: str, advice: str) -> None:
        super().__init__(what=what, id=id, problem=problem, advice=advice)
