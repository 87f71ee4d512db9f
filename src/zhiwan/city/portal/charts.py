"""Chart options as data: plain dicts that a page carries as JSON and assets/src/chart.js draws in the theme's colours.

Times are shifted to the place's clock (milliseconds), and ECharts is told to show UTC: whoever looks from elsewhere
sees the district's time. Colours are names: "tone:orange" (levels), "css:--zw-series" (theme).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from zhiwan.city.portal import numbers
from zhiwan.city.registry import clock

Option = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A horizontal line with its words: a limit, the end of a band."""

    title: str
    value: float
    tone: str = "red"


@dataclass(frozen=True)
class Span:
    """A stretch of time that matters, such as the life of an alarm."""

    start: datetime
    end: datetime
    tone: str


def shift_of(at: datetime) -> int:
    """Milliseconds between UTC and the place's clock at that moment."""
    offset = timezone.localtime(at).utcoffset()
    return int(offset.total_seconds() * 1000) if offset else 0


def local_ms(at: datetime) -> int:
    """A moment on the place's clock, for ECharts in UTC."""
    return int(at.timestamp() * 1000) + shift_of(at)


def readings(
    points: Iterable[tuple[datetime, float | None]],
    *,
    title: str,
    unit: str,
    decimals: int,
    lines: Sequence[Line] = (),
    span: Span | None = None,
    choices: Sequence[str] = (),
    zoom: bool = True,
) -> Option:
    """One property over time, with limits and the span of an alarm. Choices are drawn as steps with their words."""
    data = [[local_ms(at), value] for at, value in points]
    series: dict[str, Any] = {
        "name": title,
        "type": "line",
        "data": data,
        "showSymbol": len(data) < 60,
        "symbolSize": 4,
        "lineStyle": {"width": 1.6},
        "itemStyle": {"color": "css:--zw-series"},
        "step": "end" if choices else False,
        "connectNulls": False,
    }
    if lines:
        series["markLine"] = _mark_lines(lines, unit, decimals)
    if span:
        start, end = local_ms(span.start), local_ms(span.end)
        series["markArea"] = {
            "silent": True,
            "itemStyle": {"color": f"tone:{span.tone}", "opacity": 0.13},
            "data": [[{"xAxis": start}, {"xAxis": max(end, start + 1)}]],
        }
    values = [value for _, value in data if value is not None] + [line.value for line in lines]
    option: Option = {
        "useUTC": True,
        "aria": {"enabled": True, "label": {"description": _describe(title, unit, decimals, data)}},
        "grid": {"left": 52, "right": 96 if lines else 18, "top": 18, "bottom": 58 if zoom else 28},
        "xAxis": {"type": "time", **_axis(split=False)},
        "yAxis": {"type": "value", "scale": True, **_axis(split=True), **_bounds(values, choices)},
        "series": [series],
    }
    if zoom:
        option["dataZoom"] = [{"type": "inside"}, {"type": "slider", "height": 18, "bottom": 8}]
    return {
        "unit": numbers.unit_text(unit),
        "decimals": decimals,
        "shift": shift_of(clock.now()),
        "choices": list(choices),
        "option": option,
    }


def bars(rows: Sequence[tuple[str, float | None, str]], *, title: str, unit: str, decimals: int) -> Option:
    """A ranking: one bar for each row (name, value, tone), the first on top."""
    ordered = list(reversed(rows))
    option: Option = {
        "aria": {"enabled": True, "label": {"description": title}},
        "grid": {"left": 8, "right": 48, "top": 8, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "item"},
        "xAxis": {"type": "value", **_axis(split=True), "axisLabel": {"show": False}},
        "yAxis": {"type": "category", "data": [name for name, _, _ in ordered], **_axis(split=False)},
        "series": [
            {
                "name": title,
                "type": "bar",
                "barMaxWidth": 14,
                "data": [{"value": value, "itemStyle": {"color": f"tone:{tone}"}} for _, value, tone in ordered],
                "label": {"show": True, "position": "right", "fontSize": 11, "color": "css:--zw-muted"},
            }
        ],
    }
    return {"unit": numbers.unit_text(unit), "decimals": decimals, "shift": 0, "option": option}


def _axis(*, split: bool) -> Option:
    return {
        "axisLine": {"lineStyle": {"color": "css:--zw-line"}},
        "axisTick": {"show": False},
        "axisLabel": {"color": "css:--zw-muted", "fontSize": 11, "hideOverlap": True},
        "splitLine": {"show": split, "lineStyle": {"color": "css:--zw-grid"}},
    }


def _mark_lines(lines: Sequence[Line], unit: str, decimals: int) -> Option:
    return {
        "symbol": "none",
        "silent": True,
        "data": [
            {
                "yAxis": line.value,
                "lineStyle": {"color": f"tone:{line.tone}", "type": "dashed", "width": 1.2},
                "label": {
                    "formatter": f"{line.title}\n{numbers.with_unit(line.value, unit, decimals)}",
                    "position": "end",
                    "fontSize": 11,
                    "color": f"tone:{line.tone}",
                },
            }
            for line in lines
        ],
    }


def _bounds(values: Sequence[float], choices: Sequence[str]) -> Option:
    """Round ends with room, so that a limit is inside the picture even when the readings are far from it."""
    if choices:
        return {"min": 0, "max": max(1, len(choices) - 1), "interval": 1, "scale": False}
    if not values:
        return {}
    low, high = min(values), max(values)
    step = _round_step((high - low) / 5 or abs(high) / 5 or 1.0)
    return {"min": _steps(math.floor(low / step), step), "max": _steps(math.ceil(high / step + 0.1), step)}


def _round_step(width: float) -> float:
    """1, 2 or 5 times a power of ten, at least `width`."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= width * 0.999)


def _steps(count: int, step: float) -> float:
    return float(f"{count * step:.10g}")


def _describe(title: str, unit: str, decimals: int, data: Sequence[Sequence[Any]]) -> str:
    """The chart in a sentence, for a screen reader."""
    values = [value for _, value in data if value is not None]
    if not values:
        return _("{title}：这段时间没有数据。").format(title=title)
    return _("{title}：{n} 个读数，最小 {low}，最大 {high}，最后 {last}。").format(
        title=title,
        n=len(values),
        low=numbers.with_unit(min(values), unit, decimals),
        high=numbers.with_unit(max(values), unit, decimals),
        last=numbers.with_unit(values[-1], unit, decimals),
    )
