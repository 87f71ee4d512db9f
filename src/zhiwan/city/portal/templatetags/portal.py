"""Tags and filters of all pages: assets, icons, both languages, times with zone and age, numbers with units, levels."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import guard
from zhiwan.city.people.acting import LIVE, current_space
from zhiwan.city.people.models import Post, Scope
from zhiwan.city.portal import assets_built, numbers, words
from zhiwan.city.registry import clock
from zhiwan.city.registry.models import Zone
from zhiwan.city.registry.queries import area_title, role_title
from zhiwan.city.watch.queries.values import stale_after
from zhiwan.city.watch.queries.words import property_of
from zhiwan.kernel.packs.models import parse_duration

register = template.Library()


@register.simple_tag
def asset(name: str) -> str:
    """Address of a built asset by its plain name."""
    return assets_built.asset_url(name)


@register.simple_tag
def icon(name: str, title: str = "") -> SafeString:
    """A Tabler icon; with a title it is told to screen readers, without one it is decoration."""
    url = assets_built.icon_url(name)
    if title:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', title, url)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', url)


def english() -> bool:
    """Whether the page is in English; otherwise it is in Chinese."""
    return (translation.get_language() or "").startswith("en")


@register.filter
def said(text: Any) -> str:
    """A text that carries both languages (of a pack, or of a query), in the language of the page."""
    if text is None:
        return ""
    if isinstance(text, dict):
        return str(text.get("en" if english() else "zh", ""))
    return str(text.en if english() else text.zh)


@register.filter
def both(row: Any, name: str) -> str:
    """`row.<name>_zh` or `row.<name>_en`."""
    return str(getattr(row, f"{name}_{'en' if english() else 'zh'}", "") or getattr(row, f"{name}_zh", ""))


@register.filter
def called(row: Any) -> str:
    """The name of an area or an entity (`name`, `name_en`)."""
    if row is None:
        return ""
    return str((row.name_en if english() else "") or row.name)


def describe_age(span: timedelta) -> str:
    """ "3 分钟前"; the browser keeps it counting (assets/src/ages.js says the same)."""
    seconds = int(span.total_seconds())
    if seconds < -60:
        return _("时间超前")
    if seconds < 3:
        return _("刚刚")
    for limit, size, phrase in ((60, 1, _("{n} 秒前")), (3600, 60, _("{n} 分钟前")), (172800, 3600, _("{n} 小时前"))):
        if seconds < limit:
            return phrase.format(n=seconds // size)
    return _("{n} 天前").format(n=seconds // 86400)


@register.simple_tag
def age(at: datetime | None, limit: float = 0, live: str = "") -> SafeString:
    """How long ago, counting; `limit` seconds make it stale; `live` names the value ("entity:property") it follows."""
    if at is None:
        return format_html('<span class="age">{}</span>', _("无数据"))
    now = clock.now()
    stale = " is-stale" if limit and (now - at).total_seconds() > limit else ""
    if current_space() != LIVE:
        # A story's clock is not the browser's: what the server counted stands until the page is drawn again.
        words = describe_age(max(now - at, timedelta(0)))
        return format_html(
            '<time class="age{}" datetime="{}" title="{}">{}</time>', stale, at.isoformat(), moment_text(at), words
        )
    return format_html(
        '<time class="age{}" datetime="{}" title="{}" data-age data-age-limit="{}"{}>{}</time>',
        stale,
        at.isoformat(),
        moment_text(at),
        int(limit) if limit else "",
        format_html(' data-live-at="{}"', live) if live else "",
        describe_age(now - at),
    )


def zone_text(at: datetime) -> str:
    """UTC+8: said with every full time, so that nobody has to guess."""
    offset = timezone.localtime(at).utcoffset() or timedelta()
    hours, rest = divmod(int(offset.total_seconds()) // 60, 60)
    return f"UTC{hours:+d}" + (f":{rest:02d}" if rest else "")


def moment_text(at: datetime) -> str:
    """2026-07-01 08:00:00 UTC+8, the clock of the place."""
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S} {zone_text(at)}"


@register.simple_tag
def moment(at: datetime | None, form: str = "short") -> SafeString:
    """A time on the place's clock: `full` with year and zone, `short` for tables (the title has the full one)."""
    if at is None:
        return SafeString("–")
    local = timezone.localtime(at)
    text = moment_text(at) if form == "full" else f"{local:%m-%d %H:%M:%S}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), moment_text(at), text)


@register.filter
def number(value: float | None, decimals: int = 2) -> str:
    """A number with fixed decimals; a dash where there is none."""
    return numbers.shown(value, decimals)


@register.filter
def unit(code: str | None) -> str:
    """A UCUM code as people write it."""
    return numbers.unit_text(code)


@register.filter
def share(value: float | None) -> str:
    """0.031 → 3.1 %."""
    return "–" if value is None else f"{value * 100:.1f} %"


@register.simple_tag
def level(title: str, tone: str) -> SafeString:
    """A level in the pack's own words with its colour; the word carries the meaning, the colour helps."""
    return format_html('<span class="tone tone-{}">{}</span>', tone or "grey", title)


@register.filter
def lasting(span: timedelta | str | None) -> str:
    """10 分钟, 2 小时: a duration of a declaration (also as it is written there, 10min) in words."""
    if not span:
        return "–"
    if isinstance(span, str):
        span = parse_duration(span)
    assert isinstance(span, timedelta)  # noqa: S101 - parse_duration raises otherwise
    seconds = int(span.total_seconds())
    for size, phrase in ((86400, _("{n} 天")), (3600, _("{n} 小时")), (60, _("{n} 分钟"))):
        if seconds and seconds % size == 0:
            return phrase.format(n=seconds // size)
    return _("{n} 秒").format(n=seconds)


@register.filter
def item(mapping: Any, key: Any) -> Any:
    """mapping[key], or nothing."""
    return mapping.get(key) if mapping else None


@register.filter
def word(id: str, kind: str) -> str:
    """`{{ alarm.state|word:"alarm_state" }}`: the word for an id (portal/words.py)."""
    return words.word(kind, id)


@register.filter
def area_name(code: str) -> str:
    """Town and village of a code; the district for what belongs to no town."""
    return said(area_title(code))


@register.filter
def role_name(role: str) -> str:
    """A role in the place's words."""
    return said(role_title(role))


@register.filter
def minutes_left(due: datetime | None) -> str:
    """还剩 12 分钟, or 超时 3 分钟."""
    if due is None:
        return ""
    seconds = int((due - clock.now()).total_seconds())
    span = abs(seconds)
    if span < 3600:
        text = _("{n} 分钟").format(n=max(1, span // 60))
    elif span < 172800:
        text = _("{n} 小时").format(n=span // 3600)
    else:
        text = _("{n} 天").format(n=span // 86400)
    return (_("还剩 {span}") if seconds >= 0 else _("超时 {span}")).format(span=text)


@register.simple_tag
def stale_limit(type_name: str, name: str) -> float:
    """Seconds after which a value of this property is called stale."""
    declared = property_of(type_name, name)
    return stale_after(declared).total_seconds() if declared else 0.0


@register.simple_tag
def choice_words(type_name: str, name: str) -> str:
    """The words of a property's choices, for values that arrive live: 关|开."""
    declared = property_of(type_name, name)
    return "|".join(said(choice.title) for choice in declared.choices) if declared else ""


@register.filter
def post_words(post: Post) -> str:
    """What a post is: its body, where it reaches, until when. 区水务局 · 全区 · 防汛"""
    english_ = english()
    parts = [post.organisation.name_en if english_ else post.organisation.name_zh, _where(post)]
    if post.line_bound:
        titles = {pack.id: said(pack.manifest.title) for pack in packs().packs}
        parts.append(_("、").join(titles.get(one, one) for one in post.classes) or _("本条线"))
    if post.valid_to is not None:
        parts.append(_("至 {day}").format(day=post.valid_to - timedelta(days=1)))
    return " · ".join(parts)


def _where(post: Post) -> str:
    match post.scope:
        case Scope.DISTRICT:
            return _("全区")
        case Scope.OWN:
            return _("本单位")
        case Scope.NONE:
            return _("不看业务数据")
    wanted = [zone for zone in post.zones if not zone.isdecimal()]
    names = {zone.id: both(zone, "title") for zone in Zone.objects.filter(id__in=wanted)} if wanted else {}
    codes = [*post.towns, *(zone for zone in post.zones if zone not in names)]
    return _("、").join([*(said(area_title(code)) for code in codes), *names.values()])


@register.filter
def may(action: str) -> bool:
    """`{% if "list.export"|may %}`: offer only what the post may open; the action asks again."""
    return guard.may_open(action)


@register.filter
def human_note(note: str) -> str:
    """A person's note; what the platform noted for itself (alarm:…, warning:…) is not shown."""
    return "" if re.match(r"(replaces )?(alarm|warning|case):", note) else note
