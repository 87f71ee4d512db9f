"""An expression of a rule in words: names become titles, operators become signs, CASE becomes a sentence.

For reading only: the expression itself is shown beside it, and only that is judged. Works on tokens, so it never fails
on an expression that the judge accepts.
"""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from zhiwan.city.packs_loaded import packs, region
from zhiwan.city.portal.numbers import unit_text
from zhiwan.city.portal.templatetags.portal import lasting, said
from zhiwan.kernel.facts.errors import CityError

_DONE = "\x02"  # words that are finished stand between two of these
_TOKEN = re.compile(
    r"\x02[^\x02]*\x02|'[^']*'|:[a-z][\w.]*|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|<=|>=|<>|!=|==|[-+*/%<>=(),]|\S"
)
_SIGNS = {">=": "≥", "<=": "≤", "<>": "≠", "!=": "≠", "==": "=", "*": "×", "/": "÷", "-": "−"}


def _keywords() -> dict[str, str]:
    return {
        "and": _("且"), "or": _("或"), "not": _("并非"), "case": "", "when": _("；当"), "then": _("时为"),
        "else": _("；否则为"),
        "end": "", "is": "=", "null": _("无值"), "true": _("是"), "false": _("否"), "between": _("介于"),
        "in": _("属于"),
        "previous": _("上一次数值"), "latest": _("最新"), "coalesce": _("依次取"),
    }  # fmt: skip


def in_words(text: str | None, watch: str, pack: str) -> str:
    """`value >= warning_level - 0.1` → 水位 ≥ 警戒水位 − 0.1"""
    if not text:
        return ""
    titles = _titles(watch, pack)
    keywords = _keywords()
    words = []
    for token in _TOKEN.findall(_functions(text, titles)):
        if token.startswith(_DONE):
            words.append(token[1:-1])
            continue
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
    sentence = re.sub(r"\s+；\s*", "；", re.sub(r"\s+;", ";", sentence.strip(" ；;")))
    return sentence.replace("( ", "(").replace(" )", ")").replace(" ,", ",")


def _functions(text: str, titles: dict[str, str]) -> str:
    """Windows and links first, because their arguments belong together: sum(value, '1h'), latest(river.level)."""
    rolled = {"sum": _("合计"), "mean": _("平均"), "max": _("最大"), "min": _("最小"), "count": _("个数")}

    def window(match: re.Match[str]) -> str:
        name, what, span = match.groups()
        phrase = _("近 {span} {what}的{roll}")
        return _marked(phrase.format(span=lasting(span), what=titles.get(what, what), roll=rolled.get(name, name)))

    def linked(match: re.Match[str]) -> str:
        link, name = match[1], match[2]
        return _marked(
            _("{link}的最新{what}").format(
                link=titles.get(f"link {link}", link), what=titles.get(f"{link}.{name}", name)
            )
        )

    text = re.sub(r"\b(sum|mean|max|min|count)\(\s*(\w+)\s*,\s*'(\w+)'\s*\)", window, text)
    return re.sub(r"\blatest\(\s*(\w+)\.(\w+)\s*\)", linked, text)


def _marked(words: str) -> str:
    return f"{_DONE}{words}{_DONE}"


def _titles(watch: str, pack: str) -> dict[str, str]:
    """Names that an expression of this rule may use, and ids of levels as they stand in quotes."""
    kind_name, _dot, property_name = watch.partition(".")
    kind = packs().types.get(kind_name)
    found: dict[str, str] = {}
    if kind is not None:
        found |= {name: said(one.title) for name, one in kind.fields.items()}
        found |= {name: said(one.title) for name, one in kind.properties.items()}
        for link, declared_link in kind.links.items():
            found[f"link {link}"] = said(declared_link.title)
            other = packs().types.get(declared_link.to)
            found |= {f"{link}.{name}": said(one.title) for name, one in (other.properties if other else {}).items()}
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


def names_for(watch: str, pack: str) -> list[tuple[str, str, str]]:
    """What an expression of a rule may name: the name as it is written, what it means, its unit."""
    kind_name, _dot, property_name = watch.partition(".")
    kind = packs().types[kind_name]
    watched = kind.properties[property_name]
    found = [("value", said(watched.title), watched.unit), ("previous", _("上一次数值"), watched.unit)]
    found += [(name, said(one.title), one.unit or "") for name, one in kind.fields.items()]
    found += [("id", _("编号"), ""), ("town", _("街镇代码"), "")]
    for link, one in kind.links.items():
        other = packs().types.get(one.to)
        for name, declared in (other.properties if other else {}).items():
            found.append((f"latest({link}.{name})", f"{said(one.title)} · {said(declared.title)}", declared.unit))
    for name, declared in kind.properties.items():
        if name != property_name:
            found.append((f"latest(self.{name})", said(declared.title), declared.unit))
    for own in packs().pack(pack).parameters:
        if any(entry.value is not None for entry in own.in_force):
            found.append((f":{own.id}", said(own.title), own.unit or ""))
    return found


def value_words(value: object, unit: str | None) -> str:
    """A parameter's value with its unit; a table is told as such."""
    if isinstance(value, list):
        return _("表（{n} 行）").format(n=len(value))
    return f"{value} {unit_text(unit)}".strip()
