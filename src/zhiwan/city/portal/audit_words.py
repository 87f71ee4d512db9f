"""The audit in words: actions, chains, fields, what a check found and what it cannot see.

Source words are Chinese, English in locale/en. An id that nobody named shows as itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from zhiwan.city.portal.templatetags.portal import moment_text

ACTIONS = {
    "people.sign_in": gettext_lazy("登录"),
    "people.sign_out": gettext_lazy("退出登录"),
    "people.create_user": gettext_lazy("建立账号"),
    "people.create_link": gettext_lazy("生成登录链接"),
    "people.create_token": gettext_lazy("生成接口令牌"),
    "backup.key": gettext_lazy("生成备份恢复密钥"),
    "backup.make": gettext_lazy("备份"),
    "backup.plan": gettext_lazy("设定每夜备份"),
    "retention.run": gettext_lazy("删除到期个人信息"),
    "personal.ask": gettext_lazy("申请导出个人信息"),
    "personal.decide": gettext_lazy("审批个人信息导出"),
    "personal.withdraw": gettext_lazy("撤回个人信息导出申请"),
    "personal.export": gettext_lazy("领取个人信息导出"),
    "entity.retire": gettext_lazy("停用对象"),
    "entity.return": gettext_lazy("恢复使用对象"),
    "backup.restore": gettext_lazy("从备份恢复"),
    "backup.destroy": gettext_lazy("销毁备份密钥"),
    "backup.drill": gettext_lazy("恢复演练"),
    "people.revoke_token": gettext_lazy("吊销接口令牌"),
    "people.save_bodies": gettext_lazy("登记单位"),
    "people.save_posts": gettext_lazy("登记岗位"),
    "cases.open": gettext_lazy("案件立案"),
    "cases.take": gettext_lazy("案件签收"),
    "cases.handle": gettext_lazy("案件处置"),
    "cases.close": gettext_lazy("案件结案"),
    "alarm.acknowledge": gettext_lazy("确认告警"),
    "warning.propose": gettext_lazy("建议预警"),
    "warning.draft": gettext_lazy("预警拟稿"),
    "warning.edit": gettext_lazy("预警修改"),
    "warning.review": gettext_lazy("预警审核"),
    "warning.sign": gettext_lazy("预警签发"),
    "warning.publish": gettext_lazy("预警发布"),
    "warning.change": gettext_lazy("预警变更"),
    "warning.changed": gettext_lazy("预警被替代"),
    "warning.lift": gettext_lazy("预警解除"),
    "warning.reject": gettext_lazy("预警不采用"),
    "warning.receive": gettext_lazy("预警签收"),
    "plans.respond": gettext_lazy("启动或调整响应"),
    "plans.end": gettext_lazy("终止响应"),
    "plans.receive_task": gettext_lazy("任务签收"),
    "plans.finish_task": gettext_lazy("任务完成"),
    "registry.load_place": gettext_lazy("载入地区配置"),
    "registry.describe_place": gettext_lazy("修改地区名称"),
    "registry.save_areas": gettext_lazy("登记区域"),
    "registry.save_entities": gettext_lazy("登记对象"),
    "registry.save_relations": gettext_lazy("登记对象关系"),
    "registry.create_devices": gettext_lazy("登记设备"),
    "registry.renew_secret": gettext_lazy("换发设备密钥"),
    "registry.set_device_enabled": gettext_lazy("启用或停用设备"),
    "registry.set_password": gettext_lazy("修改仪器密码"),
    "device.rotate": gettext_lazy("换发设备密钥"),
    "device.revoke": gettext_lazy("吊销设备"),
    "device.restore": gettext_lazy("恢复设备"),
    "device.command": gettext_lazy("向设备发指令"),
    "history.import": gettext_lazy("导入历史数据"),
    "set_aside.fix": gettext_lazy("修正待处理数据"),
    "set_aside.drop": gettext_lazy("丢弃待处理数据"),
    "data.export": gettext_lazy("导出数据"),
    "audit.verify": gettext_lazy("核验审计链"),
    "audit.retire": gettext_lazy("清除到期审计"),
    "audit.export": gettext_lazy("导出审计"),
    "audit.begin_chains": gettext_lazy("启用审计链"),
}
PROCESSES = {
    "system:web": gettext_lazy("系统 · 网页与接口"),
    "system:worker": gettext_lazy("系统 · 数据流处理"),
    "system:jobs": gettext_lazy("系统 · 后台任务"),
    "system:door": gettext_lazy("系统 · 设备接入"),
    "system:live": gettext_lazy("系统 · 实时推送"),
    "system:cli": gettext_lazy("系统 · 命令行"),
    "accounts": gettext_lazy("账号自身"),
}
FIELDS = {
    "state": gettext_lazy("状态"),
    "outcome": gettext_lazy("结果"),
    "note": gettext_lazy("说明"),
    "level": gettext_lazy("级别"),
    "posts": gettext_lazy("岗位"),
    "count": gettext_lazy("数量"),
    "rows": gettext_lazy("行数"),
    "records": gettext_lazy("条数"),
    "filters": gettext_lazy("筛选条件"),
    "how": gettext_lazy("方式"),
    "kind": gettext_lazy("类别"),
    "value": gettext_lazy("数值"),
    "unit": gettext_lazy("单位"),
    "property": gettext_lazy("属性"),
    "raw": gettext_lazy("原文"),
    "code": gettext_lazy("代码"),
    "title": gettext_lazy("名称"),
    "source": gettext_lazy("来源"),
    "file": gettext_lazy("文件"),
    "enabled": gettext_lazy("启用"),
    "simulated": gettext_lazy("模拟"),
    "areas": gettext_lazy("区域"),
    "alarm": pgettext_lazy("one", "告警"),
    "runs": gettext_lazy("封存的编号"),
    "months_kept": gettext_lazy("留存月数"),
}
_FOUND = {
    "changed": gettext_lazy(
        "{chain} 第 {first} 条被改动（{action} {subject}，记录于 {recorded_at}）：内容与其散列不符。"
    ),
    "replaced": gettext_lazy(
        "{chain} 第 {first} 条不是第 {last} 条所衔接的那一条：它被替换，或自第 {last} 条起被重写。"
    ),
    "missing": gettext_lazy("{chain} 缺少第 {first}–{last} 条{gone}。"),
    "cut": gettext_lazy("{chain} 尾部被截去：第 {first}–{last} 条曾经存在（{witness}）{gone}。"),
    "rewritten": gettext_lazy(
        "{chain} 被重写：第 {first} 条与 {at} 签名的不是同一条；最后一条与签名相符的是第 {last} 条。"
    ),
    "twice": gettext_lazy("{chain} 第 {first} 条出现不止一次。"),
    "order": gettext_lazy("{chain} 第 {first} 条排在第 {last} 条之后。"),
    "head": gettext_lazy("{chain} 数据库中的链头（第 {last} 条）与最后一条记录（第 {first} 条）不符。"),
    "form": gettext_lazy("{chain} 第 {first} 条的格式（{form}）本版本不认识。"),
    "line": gettext_lazy("链头签名文件 {file} 第 {first} 行：签名不是可信密钥所作，或与上一行不衔接。"),
    "lines_gone": gettext_lazy("链头签名文件缺少第 1–{last} 行，其中签过的内容无法比对。"),
    "lines_cut": gettext_lazy("链头签名文件止于第 {first} 行，而数据库记得第 {last} 行。"),
}
_BLIND = {
    "no_heads": gettext_lazy("没有可比对的链头签名：整条链被重写，或连同链头一起被截短，都看不出来。"),
    "unsigned": gettext_lazy(
        "最后一次签名（{at}）之后有 {count} 条记录：掌握数据库的人若改动或截去它们并补好链，本次看不出来；"
        "下次签名后即受保护。"
    ),
    "key_holder": gettext_lazy(
        "同时掌握数据库、签名密钥和签名文件的人可以全部重写。请与另行保存的签名文件和公钥副本比对。"
    ),
    "never_written": gettext_lazy("从未记录、或当时就记错的事不在链中：链只证明记录未被改动，不证明记录齐全或属实。"),
    "torn": gettext_lazy("签名文件的最后一行不完整（写入时中断），没有采用。"),
    "sealed": gettext_lazy("有 {count} 条记录已按留存期清除，只保留其最后的散列。"),
    "sealed_by_record": gettext_lazy("哪些记录已清除取自审计记录本身，没有签名佐证。"),
}


def action_word(action: str) -> str:
    return str(ACTIONS.get(action, action))


def field_word(name: str) -> str:
    return str(FIELDS.get(name, name))


def process_word(name: str) -> str:
    """A process or the chain of accounts; other names as they are."""
    return str(PROCESSES.get(name, name))


def found_words(finding: Mapping[str, Any], chain: str) -> str:
    """One finding of a report (Finding.as_dict) as a sentence; `chain`: what its chain is called."""
    values = {**finding["values"], "first": finding["first"], "last": finding["last"], "chain": chain}
    months = "、".join(values.pop("months", ()))
    values["gone"] = _("；{months} 的分区已不在").format(months=months) if months else ""
    if "witness" in values:
        signed = values["witness"].removeprefix("signed at ") if values.get("signed") else ""
        values["witness"] = _("{at} 曾签名").format(at=_time(signed)) if signed else _("数据库中的链头如此记载")
    if "action" in values:
        values["action"] = action_word(values["action"])
    for name in ("at", "recorded_at"):
        if name in values:
            values[name] = _time(values[name])
    return str(_FOUND[finding["code"]]).format_map(values)


def blind_words(one: Mapping[str, Any]) -> str:
    """One thing that a check could not see (Blindness.as_dict)."""
    values = {name: _time(value) if name == "at" else value for name, value in one["values"].items()}
    return str(_BLIND[one["code"]]).format_map(values)


def _time(text: str) -> str:
    return moment_text(datetime.fromisoformat(text))
