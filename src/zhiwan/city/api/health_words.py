"""What /healthz and 运行状态 say of a part that is not well: a code for machines, a sentence in both languages.

States: `ok` · `low` (works; somebody should see to it soon) · `degraded` (works in part) · `down` · `unknown`.
"""

from __future__ import annotations

from typing import Any

Part = dict[str, Any]
#: States in which a part does its work.
WELL = frozenset({"ok", "low"})

#: code → (Chinese, English)
SENTENCES: dict[str, tuple[str, str]] = {
    "SILENT": ("已 {seconds} 秒没有活动", "silent for {seconds} s"),
    "NEVER": ("还没有启动过", "never started"),
    "ENDED": (
        "意外终止（{reason}），正在自动重新启动，第 {crashes} 次",
        "ended ({reason}); it is started again by itself, crash {crashes}",
    ),
    "STARTING": (
        "上次终止：{reason}。已重新启动，尚未就绪",
        "it had ended ({reason}); started again, not ready yet",
    ),
    "FROM_AHEAD": (
        "最近一次活动的时间比现在晚 {seconds} 秒：有时钟被调过。请校准各主机时间",
        "its last sign of life lies {seconds} s ahead: a clock was changed. Set the hosts' clocks right",
    ),
    "NO_DATABASE": ("数据库没有应答", "the database does not answer"),
    "ONLY_DATABASE_KNOWS": ("要等数据库恢复后才知道", "only the database knows"),
    "NO_BUS": ("消息总线没有应答：{problem}", "the bus does not answer: {problem}"),
    "NOT_STORING": ("{reason}；正在重新启动", "{reason}; it is started anew"),
    "STREAM_FULL": (
        "消息流 {stream} 已满（{percent}%）：新数据被拒收，设备会重发。请看数据流处理是否正常",
        "the stream {stream} is full ({percent} %): readings are refused, devices send again. Is the worker well?",
    ),
    "STREAM_FILLING": (
        "消息流 {stream} 已用 {percent}%：数据流处理跟不上",
        "the stream {stream} is {percent} % full: the worker does not keep up",
    ),
    "NO_LIVE": (
        "实时推送没有应答：页面不会自动更新，请手动刷新",
        "the live stream does not answer: pages do not update by themselves, reload them",
    ),
    "LIVE_NOT_CONFIGURED": ("没有配置：页面不会自动更新", "not configured: pages do not update by themselves"),
    "DISK_FULL": (
        "磁盘已满：{folders}（剩 {free} MB）。请腾出空间，之后自动继续",
        "disk full below {folders} ({free} MB left). Make room; it goes on by itself",
    ),
    "DISK_LOW": (
        "磁盘快满了：{folders}（剩 {free} MB）。请腾出空间",
        "disk nearly full below {folders} ({free} MB left). Make room",
    ),
    "LAKE_REFUSES": (
        "历史库写不进去（{problem}）：{rows} 行已收下、在等待，恢复后自动补写",
        "the lake takes nothing ({problem}): {rows} rows are safe and wait; they are written afterwards",
    ),
    "LAKE_DISK_FULL": (
        "历史库所在磁盘已满，写不进去：{rows} 行已收下、在等待，腾出空间后自动补写",
        "the lake's disk is full: {rows} rows are safe and wait; they are written when there is room",
    ),
    "AUDIT_BROKEN": (
        "最近一次核验发现审计记录被改动或缺失，请审计管理员查看",
        "the last check found records of the audit changed or missing: the audit administrator should look",
    ),
    "AUDIT_UNSIGNED": ("审计链头没有按时签名", "the heads of the audit's chains are not signed in time"),
    "BACKUP_NONE": ("没有设定每夜备份", "no backup is planned"),
    "BACKUP_LATE": ("昨夜没有备份成功，请看备份页", "last night made no backup: look at the page of backups"),
    "NIGHT_PROBLEMS": ("昨夜有未完成的保存或删除，请看备份页", "last night left something undone: see the backups"),
    "DRILL_FAILED": ("最近一次恢复演练没有通过", "the last drill did not hold"),
    "PACKS": ("应用场景不能载入：{problem}", "packs cannot be loaded: {problem}"),
}


def part(state: str, code: str = "", **values: Any) -> Part:
    """A part in this state, with the sentence of `code`."""
    if not code:
        return {"state": state}
    chinese, english = SENTENCES[code]
    return {"state": state, "code": code, "says": english.format(**values), "says_zh": chinese.format(**values)}
