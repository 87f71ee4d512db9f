"""Why a value was not taken, in both languages, with the next step. One list for every door and decoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

#: Of a refused text so much is kept: enough to see what it was.
RAW_LENGTH = 500


class Reason(NamedTuple):
    """Four texts; `{detail}` is filled with what the decoder saw."""

    zh: str
    en: str
    hint_zh: str
    hint_en: str


REASONS: Mapping[str, Reason] = {
    "MALFORMED": Reason(
        "报文无法解析：{detail}",
        "The message cannot be read: {detail}",
        "请按接口格式发送，例如 {{\"at\": \"2026-11-24T12:00:00+08:00\", \"values\": {{\"level\": 3.3}}}}",
        'Send the documented form, such as {{"at": "2026-11-24T12:00:00+08:00", "values": {{"level": 3.3}}}}',
    ),
    "TOO_LARGE": Reason(
        "报文过大：{detail}", "The message is too large: {detail}",
        "请拆分为多条报文发送", "Send the readings in several messages",
    ),
    "UNKNOWN_DEVICE": Reason(
        "设备未登记：{detail}", "The device is not registered: {detail}",
        "请先登记该设备，再重放此报文", "Register the device, then replay this message",
    ),
    "UNKNOWN_PROPERTY": Reason(
        "该类对象没有此指标：{detail}", "This type has no such property: {detail}",
        "请核对指标名称，或在应用场景中声明该指标", "Correct the name, or declare the property in the pack",
    ),
    "DERIVED_PROPERTY": Reason(
        "此指标由平台计算，不接收设备上报：{detail}", "Computed by the platform, devices cannot send it: {detail}",
        "请上报计算所需的原始指标", "Send the readings it is computed from",
    ),
    "EXTRA_FIELD": Reason(
        "出现未声明的字段（同一报文的数值已正常接收）：{detail}",
        "An undeclared field was set aside (the values beside it were taken): {detail}",
        "如需保留，请在应用场景中声明；否则请从报文中删除", "Declare it in the pack if it matters, or stop sending it",
    ),
    "WRONG_UNIT": Reason(
        "单位不符：{detail}", "Wrong unit: {detail}",
        "请改用声明的单位，或与之可换算的单位", "Send the declared unit, or one that converts to it",
    ),
    "NOT_A_NUMBER": Reason(
        "不是数值：{detail}", "Not a number: {detail}",
        "请发送数值；选项类指标发送选项编号或名称", "Send a number; for a choice its index or its id",
    ),
    "NOT_FINITE": Reason(
        "不是有限数值：{detail}", "Not a finite number: {detail}",
        "设备无读数时请不要发送该指标", "When there is no reading, leave the value out",
    ),
    "BAD_TIME": Reason(
        "时间无法识别：{detail}", "The time cannot be read: {detail}",
        "请使用带时区的 RFC 3339 时间或毫秒时间戳", "Send RFC 3339 with a zone, or milliseconds since 1970",
    ),
    "TOO_OLD": Reason(
        "时间早于接收窗口（7 天）：{detail}", "Older than the door takes (7 days): {detail}",
        "历史数据请用 zhiwan import 导入；若为时钟错误请校时", "Import history with `zhiwan import`, or set the clock",
    ),
    "TOO_NEW": Reason(
        "时间超前于平台时钟 5 分钟以上：{detail}", "More than 5 minutes ahead of the platform's clock: {detail}",
        "请校准设备时钟，并确认时间戳为毫秒", "Set the device's clock; epoch times are in milliseconds",
    ),
    # -- HJ 212 (decoders/hj212) --
    "FRAME_CRC": Reason(
        "校验码不符（收到 ≠ 计算）：{detail}", "The checksum is wrong (received ≠ computed): {detail}",
        "请检查线路和数采仪的 CRC16 算法（HJ 212-2017 附录 A）",
        "Check the line, and the logger's CRC16 (HJ 212-2017 appendix A)",
    ),
    "FRAME_LENGTH": Reason(
        "数据段长度不符（声明 ≠ 实际）：{detail}", "The length is wrong (declared ≠ found): {detail}",
        "请检查数采仪的数据段长度，报文可能被截断", "Check the logger's length field; the frame may be cut off",
    ),
    "FRAME_NOISE": Reason(
        "不属于任何报文的字节：{detail}", "Bytes that belong to no frame: {detail}",
        "请确认对端按 HJ 212 发送，报文以 ## 开头", "Make sure the peer speaks HJ 212: a frame begins with ##",
    ),
    "FRAME_FIELDS": Reason(
        "报文字段无法识别：{detail}", "The fields of the frame cannot be read: {detail}",
        "请按 HJ 212-2017 第 6.3 节组织数据段", "Build the data segment as HJ 212-2017 section 6.3 says",
    ),
    "FRAME_TIME": Reason(
        "数据时间无法识别：{detail}", "The time of the data cannot be read: {detail}",
        "请按 YYYYMMDDhhmmss（当地时间）上报 DataTime", "Send DataTime as YYYYMMDDhhmmss in local time",
    ),
    "FRAME_PARTS": Reason(
        "分包不全，缺少：{detail}", "Packets of the message are missing: {detail}",
        "已到的分包已按其自身时间处理；请由数采仪补传", "What came was used; let the logger send the message again",
    ),
    "COMMAND_UNKNOWN": Reason(
        "不接收此命令编号：{detail}", "This command is not taken: {detail}",
        "接收 2011、2051、2061、2031；其他命令请在数采仪上关闭", "Send 2011, 2051, 2061 or 2031; switch off the others",
    ),
    "WRONG_PASSWORD": Reason(
        "访问密码不符：{detail}", "The password is wrong: {detail}",
        "请核对数采仪的 PW 与登记的密码", "Compare the logger's PW with the registered one",
    ),
    "DEVICE_DISABLED": Reason(
        "设备已停用：{detail}", "The device is disabled: {detail}",
        "如需恢复接收，请先启用该设备", "Enable the device if it shall be heard again",
    ),
    "DATA_FLAG": Reason(
        "仪器标记该数据非正常：{detail}", "The instrument does not stand behind the value: {detail}",
        "无需修正；仪器恢复正常（N）后自动接收", "Nothing to correct: readings flagged N are taken again",
    ),
}  # fmt: skip

TAKEN = "taken"
DUPLICATE = "DUPLICATE"


@dataclass(frozen=True, slots=True)
class SetAside:
    """A value (or a whole message: property empty) that was not taken. `at` is the time it spoke of, where known."""

    seq: int
    device: str
    property: str
    raw: str
    code: str
    reason_zh: str
    reason_en: str
    hint_zh: str
    hint_en: str
    at: datetime | None


class Problem(NamedTuple):
    """What a decoder or a check found, before it is known which message it belongs to."""

    code: str
    property: str
    raw: str
    detail: str


def cut(text: object, length: int = RAW_LENGTH) -> str:
    """At most `length` characters of any text or bytes, such that every store can keep them (no lone surrogates)."""
    if isinstance(text, bytes):
        return text[: 4 * length].decode("utf-8", "replace")[:length]
    return str(text)[:length].encode("utf-8", "replace").decode()


def set_aside(problem: Problem, seq: int, device: str, at: datetime | None) -> SetAside:
    """The record of a problem, with its texts."""
    reason = REASONS[problem.code]
    detail = cut(problem.detail, 120)
    zh, en, hint_zh, hint_en = (text.format(detail=detail) for text in reason)
    return SetAside(
        seq, cut(device, 64), cut(problem.property, 120), cut(problem.raw), problem.code, zh, en, hint_zh, hint_en, at
    )
