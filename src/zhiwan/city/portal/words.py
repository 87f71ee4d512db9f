"""Words for states, steps, reasons, flags that rows only name by id. Source words are Chinese; English: locale/en."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy, pgettext_lazy

ALARM_STATES = {
    "open": gettext_lazy("未解除"),
    "latched": gettext_lazy("已恢复，待确认"),
    "cleared": gettext_lazy("已解除"),
    "withdrawn": gettext_lazy("已撤销（迟到数据表明不成立）"),
}
ALARM_STEPS = {
    "opened": gettext_lazy("产生"),
    "raised": gettext_lazy("升级"),
    "lowered": gettext_lazy("降级"),
    "cleared": gettext_lazy("解除"),
    "quiet": gettext_lazy("已恢复，待确认"),
    "corrected": gettext_lazy("因迟到数据更正"),
    "active": gettext_lazy("再次超限"),
    "acknowledged": gettext_lazy("已确认"),
}
WARNING_STATES = {
    "proposed": gettext_lazy("系统建议"),
    "draft": gettext_lazy("草稿"),
    "reviewed": gettext_lazy("已审核"),
    "signed": gettext_lazy("已签发"),
    "published": gettext_lazy("已发布"),
    "changed": gettext_lazy("已变更"),
    "lifted": gettext_lazy("已解除"),
    "rejected": gettext_lazy("未采用"),
}
WARNING_STEPS = {
    "propose": gettext_lazy("系统建议"),
    "changed": gettext_lazy("被新预警替代"),
    "draft": gettext_lazy("拟稿"),
    "edit": gettext_lazy("修改"),
    "review": gettext_lazy("审核"),
    "sign": gettext_lazy("签发"),
    "publish": gettext_lazy("发布"),
    "record": gettext_lazy("登记外来预警"),
    "change": gettext_lazy("变更"),
    "lift": gettext_lazy("解除预警"),
    "reject": gettext_lazy("不采用"),
    "receive": gettext_lazy("签收"),
}
CASE_STATES = {
    "open": gettext_lazy("待签收"),
    "taken": gettext_lazy("处置中"),
    "handled": gettext_lazy("待结案"),
    "closed": gettext_lazy("已结案"),
}
CASE_STEPS = {
    "open": gettext_lazy("立案"),
    "take": pgettext_lazy("case", "签收"),
    "handle": gettext_lazy("处置"),
    "close": gettext_lazy("结案"),
}
SCORES = {
    "hit": gettext_lazy("属实"),
    "false_alarm": gettext_lazy("误报"),
    "miss": gettext_lazy("漏报"),
    "none": gettext_lazy("不计"),
}
EXPORT_STATES = {
    "asked": gettext_lazy("等待批准"),
    "approved": gettext_lazy("已批准，等待领取"),
    "rejected": gettext_lazy("已退回"),
    "withdrawn": gettext_lazy("已撤回"),
    "fetched": gettext_lazy("已领取"),
    "late": gettext_lazy("已过期"),
}
COMMAND_STATES = {
    "asked": gettext_lazy("等待设备上线"),
    "sent": gettext_lazy("已发出"),
    "delivered": gettext_lazy("设备已收到"),
    "answered": gettext_lazy("已答复"),
    "expired": gettext_lazy("已过期"),
}
#: Reasons of refused values (kernel/sense).
REASONS = {
    "MALFORMED": gettext_lazy("报文无法解析"),
    "UNKNOWN_DEVICE": gettext_lazy("设备未登记"),
    "UNKNOWN_PROPERTY": gettext_lazy("属性未声明"),
    "EXTRA_FIELD": gettext_lazy("多余字段"),
    "WRONG_UNIT": gettext_lazy("单位不符"),
    "NOT_A_NUMBER": gettext_lazy("不是数字"),
    "NOT_FINITE": gettext_lazy("不是有限数"),
    "TOO_OLD": gettext_lazy("时间过早"),
    "TOO_NEW": gettext_lazy("时间超前"),
    "DUPLICATE": gettext_lazy("重复"),
    "TOO_LARGE": gettext_lazy("报文过大"),
    "BAD_TIME": gettext_lazy("时间无法识别"),
    "DERIVED_PROPERTY": gettext_lazy("计算值不可上报"),
    "FRAME_CRC": gettext_lazy("校验码不符"),
    "FRAME_LENGTH": gettext_lazy("数据段长度不符"),
    "FRAME_NOISE": gettext_lazy("不属于任何报文的字节"),
    "FRAME_FIELDS": gettext_lazy("报文字段无法识别"),
    "FRAME_TIME": gettext_lazy("数据时间无法识别"),
    "FRAME_PARTS": gettext_lazy("分包不全"),
    "COMMAND_UNKNOWN": gettext_lazy("不接收的命令编号"),
    "WRONG_PASSWORD": gettext_lazy("访问密码不符"),
    "DEVICE_DISABLED": gettext_lazy("设备已停用"),
    "DATA_FLAG": gettext_lazy("仪器标记非正常"),
    "NOT_STORED": gettext_lazy("平台未能存储"),
    "TOO_MANY_CONNECTIONS": gettext_lazy("连接数已满"),
    "taken": gettext_lazy("已接收"),
    "TAKEN": gettext_lazy("已接收"),
}
SET_ASIDE_STATES = {
    "open": gettext_lazy("待处理"),
    "fixed": gettext_lazy("已修正重放"),
    "dropped": gettext_lazy("已丢弃"),
}
#: Quality flags of kept readings (kernel/facts/observations.py).
FLAGS = {
    "GOOD": gettext_lazy("正常"),
    "RANGE": gettext_lazy("超出量程"),
    "FROZEN": gettext_lazy("数值不变"),
    "GAP": gettext_lazy("中断后首值"),
    "SKEW": gettext_lazy("时钟偏差"),
    "LATE": gettext_lazy("迟到"),
    "CORRECTION": gettext_lazy("更正"),
}
DOORS = {
    "mqtt": gettext_lazy("MQTT 设备接入"),
    "http": gettext_lazy("HTTP 接口"),
    "import": gettext_lazy("文件导入"),
    "hj212": gettext_lazy("HJ 212 接入（按报文计）"),
}
ROLLUPS = {
    "mean": gettext_lazy("平均"),
    "max": gettext_lazy("最大"),
    "min": gettext_lazy("最小"),
    "sum": gettext_lazy("合计"),
    "count": gettext_lazy("个数"),
    "share": gettext_lazy("占比"),
}
RULE_FIELDS = {
    "when": gettext_lazy("条件"),
    "where": gettext_lazy("范围"),
    "clear": gettext_lazy("解除"),
    "lasting": gettext_lazy("须持续"),
    "clear_lasting": gettext_lazy("解除须持续"),
    "absent": gettext_lazy("无数据时长"),
    "level": gettext_lazy("级别"),
}
AMENDMENT_KINDS = {
    "rule": gettext_lazy("修改规则"),
    "entry": gettext_lazy("新数值"),
    "correction": gettext_lazy("更正数值"),
}
AMENDMENT_STATES = {
    "proposed": gettext_lazy("待第二人签署"),
    "approved": gettext_lazy("已签署"),
    "rejected": gettext_lazy("已退回"),
    "withdrawn": gettext_lazy("已撤回"),
}
#: How an alarm of the past would differ.
DIFFERENCES = {
    "opened": gettext_lazy("会新产生"),
    "gone": gettext_lazy("不再产生"),
    "level": gettext_lazy("级别不同"),
    "moved": gettext_lazy("时间不同"),
}
RESPONSE_STATES = {"active": gettext_lazy("执行中"), "ended": gettext_lazy("已终止")}

_ALL: dict[str, dict[str, Any]] = {
    "alarm_state": ALARM_STATES,
    "alarm_step": ALARM_STEPS,
    "warning_state": WARNING_STATES,
    "warning_step": WARNING_STEPS,
    "case_state": CASE_STATES,
    "case_step": CASE_STEPS,
    "score": SCORES,
    "reason": REASONS,
    "set_aside_state": SET_ASIDE_STATES,
    "flag": FLAGS,
    "door": DOORS,
    "response_state": RESPONSE_STATES,
    "rollup": ROLLUPS,
    "rule_field": RULE_FIELDS,
    "amendment_kind": AMENDMENT_KINDS,
    "amendment_state": AMENDMENT_STATES,
    "difference": DIFFERENCES,
    "command_state": COMMAND_STATES,
    "export_state": EXPORT_STATES,
}


def word(kind: str, id: str) -> str:
    """The word for an id; an id nobody named shows as itself."""
    return str(_ALL[kind].get(id, id))
