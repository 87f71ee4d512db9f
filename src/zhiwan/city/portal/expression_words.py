"""An expression of a rule in words: names become titles, operators become signs, CASE becomes a sentence.

For reading only: the expression itself is shown beside it, and only that is judged. Works on tokens, so it never fails
on an expression that the judge accepts.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from zhiwan.city.packs_loaded import packs, region
from zhiwan.city.portal.numbers import unit_text
from zhiwan.city.portal.templatetags.portal import said
from zhiwan.kernel.facts.errors import CityError

_TOKEN = re.compile(r"'[^']*'|:[a-z][\w.]*|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|<=|>=|<>|!=|==|[-+*/%<>=(),]|\S")
_SIGNS = {">=": "≥", "<=": "≤", "<>": "≠", "!=": "≠", "==": "=", "*": "×", "/": "÷", "-": "−"}


def _keywords() -> dict[str, str]:
    return {
        "and": _("且"), "or": _("或"), "not": _("并非"), "case": "", "when": _("；当"), "then": _("时为"), "else": _("；否则为"),
        "end": "", "is": "=", "null": _("无值"), "true": _("是"), "false": _("否"), "between": _("介于"), "in": _("属于"),
        "previous": _("上一次数值"), "latest": _("最新"), "coalesce": _("依次取"),
    }  # fmt: skip


def in_words(text: str | None, watch: str, pack: str) -> str:
    """`value >= warning_level - 0.1` → 水位 ≥ 警戒水位 − 0.1"""
    if not text:
        return ""
    titles = _titles(watch, pack)
    keywords = _keywords()
    words = []
    for token in _TOKEN.findall(text):
        low = token.lower()
        if token.startswith("'"):
            words.append(titles.get(token, token.strip("'")))
        elif low in keywords:
            words.append(keywords[low])
        elif token.startswith(":"):
            words.append(_parameter(token[1:], pack))
        else:
            words.append(titles.get(token) or _SIGNS.get(token, token))
    sentence = " ".join(word for word in words if word)
    return re.sub(r"\s*；\s*", "；", sentence.strip(" ；")).replace("( ", "(").replace(" )", ")").replace(" ,", ",")


def _titles(watch: str, pack: str) -> dict[str, str]:
    """Names that an expression of this rule may use, and ids of levels as they stand in quotes."""
    kind_name, _dot, property_name = watch.partition(".")
    kind = packs().types.get(kind_name)
    found: dict[str, str] = {}
    if kind is not None:
        found |= {name: said(one.title) for name, one in kind.fields.items()}
        found |= {name: said(one.title) for name, one in kind.properties.items()}
        if declared := kind.properties.get(property_name):
            found["value"] = said(declared.title)
    for one in packs().packs:
        if one.id == pack:
            found |= {f"'{level.id}'": said(level.title) for scale in one.scales for level in scale.levels}
    return found


def _parameter(name: str, pack: str) -> str:
    book = packs().parameters
    try:
        return said(book.history(book.resolve(pack, name), region()).title)
    except CityError:
        return name


def value_words(value: object, unit: str | None) -> str:
    """A parameter's value with its unit; a table is told as such."""
    if isinstance(value, list):
        return _("表（{n} 行）").format(n=len(value))
    return f"{value} {unit_text(unit)}".strip()
