"""The state of the platform's parts as rows for people: names, words and tones in the language of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from zhiwan.city.api.health_words import WELL, Part
from zhiwan.city.portal.templatetags.portal import english

_FACTS = frozenset({"state", "code", "says", "says_zh"})


def rows(parts: Mapping[str, Part]) -> list[dict[str, Any]]:
    """One row a part, in the order of the platform; those that are not well first."""
    names = part_names()
    order = list(names)
    found = [
        {"id": id, "name": names.get(id, id), **_state(str(part.get("state"))), "says": _says(part), **_told(part)}
        for id, part in parts.items()
    ]
    return sorted(found, key=lambda row: (row["well"], order.index(row["id"]) if row["id"] in names else 99))


def part_names() -> dict[str, str]:
    """What the parts are called on pages."""
    return {
        "web": _("网页与接口"),
        "database": _("数据库"),
        "bus": _("消息总线"),
        "live": _("实时推送"),
        "worker": _("数据流处理"),
        "door": _("设备接入"),
        "jobs": _("后台任务"),
        "hj212": _("HJ 212 接入"),
        "simulator": _("演示数据"),
        "disk": _("磁盘"),
        "audit": _("审计"),
        "backup": _("备份"),
        "packs": _("应用场景"),
    }


def _state(state: str) -> dict[str, Any]:
    words = {
        "ok": (_("正常"), "green"),
        "low": (_("注意"), "yellow"),
        "degraded": (_("异常"), "orange"),
        "down": (_("停止"), "red"),
    }
    word, tone = words.get(state, (_("不明"), "grey"))
    return {"state": state, "well": state in WELL, "word": word, "tone": tone}


def _says(part: Part) -> str:
    return str(part.get("says" if english() else "says_zh", ""))


def _told(part: Part) -> dict[str, Any]:
    """The facts of a part that say something to a person, and the rest as they are."""
    named = {
        "latest_reading_at": _("最近读数"),
        "last_sign_at": _("最近活动"),
        "last_signed_at": _("链头签名"),
        "last_checked_at": _("核验"),
        "last_backup_at": _("最近备份"),
        "last_drill_at": _("最近演练"),
        "waiting": _("等待"),
        "failed": _("失败"),
        "problem": _("问题"),
        "lake_problem": _("历史库问题"),
        "lake_waiting_rows": _("待写入历史库"),
        "waiting_messages": _("待处理报文"),
        "restarts": _("重启"),
        "count": _("个数"),
        "free_mb": _("最少剩余 MB"),
    }
    facts = []
    for key, title in named.items():
        value = part.get(key)
        if isinstance(value, dict):
            numbers = [number for number in value.values() if isinstance(number, int)]
            value = min(numbers, default=None) if key == "free_mb" else sum(numbers)
        if value is not None and value != "":
            at = parse_datetime(value) if key.endswith("_at") and isinstance(value, str) else None
            facts.append({"title": title, "value": value, "at": at})
    rest = [(key, value) for key, value in part.items() if key not in named and key not in _FACTS]
    return {"facts": facts, "rest": rest}
