"""Words, charts and expressions: what is computed without a database."""

from __future__ import annotations

import gettext
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from zhiwan.city import packs_loaded
from zhiwan.city.portal import charts
from zhiwan.city.portal.expression_problems import in_chinese
from zhiwan.city.portal.expression_words import in_words
from zhiwan.city.portal.numbers import unit_text, with_unit
from zhiwan.city.portal.templatetags.portal import lasting, moment_text
from zhiwan.city.portal.views.base import _defused
from zhiwan.city.watch.tests import surge
from zhiwan.kernel.judge import ExpressionRefused, RuleBook
from zhiwan.kernel.packs.packset import PackSet

PORTAL = Path(__file__).parents[1]
AT = datetime(2026, 7, 1, 0, 30, tzinfo=UTC)
_TRANSLATE = re.compile(r"""\{%\s*translate\s+(["'])(.+?)\1\s*(?:context\s+(["'])(.+?)\3)?""")
_GETTEXT = re.compile(r"""\b(?:_|gettext|gettext_lazy)\(\s*"((?:[^"\\]|\\.)+)"\s*\)""")


def _sources() -> set[tuple[str, str]]:
    found = {
        (context, text)
        for file in (PORTAL / "templates").rglob("*.html")
        for _q, text, _p, context in _TRANSLATE.findall(file.read_text("utf-8"))
    }
    for file in PORTAL.rglob("*.py"):
        if "tests" not in file.parts and "node_modules" not in file.parts:
            found |= {("", text) for text in _GETTEXT.findall(file.read_text("utf-8"))}
    return found


def test_every_sentence_has_its_english() -> None:
    with (PORTAL / "locale/en/LC_MESSAGES/django.mo").open("rb") as file:
        english = gettext.GNUTranslations(file)
    missing = [
        text
        for context, text in sorted(_sources())
        if (english.pgettext(context, text) if context else english.gettext(text)) == text
        and re.search("[\u4e00-\u9fff]", text)
    ]
    assert not missing


def test_the_compiled_catalogue_is_the_written_one() -> None:
    written = (PORTAL / "locale/en/LC_MESSAGES/django.po").read_text("utf-8")
    with (PORTAL / "locale/en/LC_MESSAGES/django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    pairs = re.findall(r'(?:msgctxt "(.*)"\n)?msgid "(.+)"\nmsgstr "(.+)"', written)
    assert len(pairs) == len(compiled) - 1
    for context, source, english in pairs:
        key = f"{context}\x04{source}" if context else source
        assert compiled[key.replace('\\"', '"')] == english.replace('\\"', '"'), source


def test_a_limit_far_from_the_readings_is_inside_the_picture() -> None:
    chart = charts.readings(
        [(AT, 1.0), (AT + timedelta(minutes=1), 1.2)],
        title="水位", unit="m", decimals=2, lines=[charts.Line("警戒", 3.5)],
    )  # fmt: skip
    axis = chart["option"]["yAxis"]
    assert axis["min"] <= 1.0
    assert axis["max"] > 3.5


def test_times_of_a_chart_are_the_places_clock() -> None:
    chart = charts.readings([(AT, 1.0)], title="水位", unit="m", decimals=2)
    (at, _value) = chart["option"]["series"][0]["data"][0]
    assert datetime.fromtimestamp(at / 1000, UTC).hour == 8
    assert chart["option"]["useUTC"] is True
    assert moment_text(AT) == "2026-07-01 08:30:00 UTC+8"


def test_a_chart_says_what_it_shows_to_who_cannot_see_it() -> None:
    chart = charts.readings([(AT, 1.0), (AT, 2.0)], title="水位", unit="m", decimals=1)
    assert chart["option"]["aria"]["label"]["description"] == "水位：2 个读数，最小 1.0 m，最大 2.0 m，最后 2.0 m。"


def test_an_expression_reads_as_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    surge.use_packs(monkeypatch)
    monkeypatch.setattr(packs_loaded, "_changes", None)  # no database, hence no changes to look for
    assert in_words("value >= limit AND flow < 2", "Gauge.level", "governance.surge") == "level ≥ limit 且 flow < 2"
    sentence = in_words("CASE WHEN value > 3 THEN 'ii' ELSE 'iv' END", "Gauge.level", "governance.surge")
    assert sentence == "当 level > 3 时为 ii；否则为 iv"
    assert in_words("sum(value, '6h') > 50", "Gauge.level", "governance.surge") == "近 6 小时 level的合计 > 50"
    assert in_words("latest(beside.level) > value", "Gauge.level", "governance.surge") == "beside的最新level > level"
    packs_loaded.forget()


def test_numbers_and_spans_are_written_as_the_trade_writes_them() -> None:
    assert (unit_text("ug/m3"), unit_text("1"), unit_text("made up")) == ("µg/m³", "", "made up")
    assert with_unit(None, "m") == "– m"
    assert with_unit(3.456, "m", 2) == "3.46 m"
    assert (lasting("10min"), lasting(timedelta(hours=2)), lasting("0s")) == ("10 分钟", "2 小时", "0 秒")


@pytest.mark.parametrize(
    ("cell", "written"), [("=1+1", "'=1+1"), ("@cmd", "'@cmd"), ("-3.5", "-3.5"), ("东闸", "东闸"), (None, "")]
)
def test_a_cell_that_looks_like_a_formula_is_text(cell: object, written: str) -> None:
    assert _defused(cell) == written


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("", "没有内容"),
        ("NULL", "只有 NULL"),
        ("valu > 3", "没有“valu”这个名称"),
        ("level >", "不是完整的表达式"),
        ("value > :nothing", "没有参数“:nothing”"),
        ("latest(up.level) > 1", "没有关联“up”"),
        ("latest(beside.lvl) > 1", "关联“beside”没有监测项“lvl”"),
        ("latest(value) > 1", "latest 里要写"),
        ("sqrt2(value) > 1", "不支持函数“sqrt2”"),
        ("abs(value, 1) > 1", "abs 需要 1 个参数"),
        ("round(value, value) > 1", "round 的小数位"),
        ("sum(value, '1y') > 1", "“1y”不是时段"),
        ("sum(value, 1) > 1", "sum 的时段要加引号"),
        ("sum(value, '90d') > 1", "时段应在"),
        ("sum(flow, '1h') > 1", "sum 回看"),
        ("value > 1; value > 2", "只能写一个表达式"),
        ("value > 1 -- high", "表达式里不写注释"),
        ("kind = 'a'", "没有“a”这个选项"),
        ("value", "这里需要真假，得到的是数值"),
        ("value = 'a'", "数值和文字不能混用"),
        ("value IN ()", ""),
        ("value IS 3", "IS 只用于 NULL"),
        ("value > latest(self.flow)", "单位不同"),
        ("value::int > 1", "不支持这种写法"),
        ("SELECT 1", "不支持这种写法"),
        ("(" * 70 + "value > 1" + ")" * 70, ""),
        ("value > " + "1 + " * 700 + "1", "超过"),
        ("NULL = NULL", "各处都是 NULL"),
        ("value BETWEEN 1 AND 'a'", "数值和文字不能混用"),
    ],
)
def test_what_the_parser_says_is_said_in_chinese(text: str, chinese: str) -> None:
    rule = surge.PACK.rules[0].model_copy(update={"when": text})
    pack = surge.PACK.model_copy(update={"rules": [rule]})
    with pytest.raises(ExpressionRefused) as refused:
        RuleBook.compile(PackSet.of([pack]))
    for key in ("problem", "advice"):
        said = in_chinese(str(refused.value.values[key]))
        assert re.search("[\u4e00-\u9fff]", said), said
    assert chinese in in_chinese(str(refused.value.values["problem"]))
