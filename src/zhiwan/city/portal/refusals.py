"""What a person reads when an action or a query refuses: the fact and the next step, in the language of the page.

Errors of the platform are written in English (they also go to logs and clients). Those that a person meets on a page
have a Chinese sentence here, by code; `{names}` are the values of the error.
"""

from __future__ import annotations

from collections.abc import Mapping

from zhiwan.city.portal.expression_problems import in_chinese
from zhiwan.city.portal.templatetags.portal import english
from zhiwan.kernel.facts.errors import CityError

_CHINESE = {
    "PEOPLE-001": "当前账号没有岗位，不能办理。请用有岗位的账号登录。",
    "PEOPLE-002": "本岗位不能办理此事（{action}）。可以办理的岗位角色：{roles}。请切换岗位，或请其持有人办理。",
    "PEOPLE-003": "此事不在本岗位的管辖范围内（{town}）。请由管辖该处的岗位办理。",
    "PEOPLE-009": "没有有效的使用目的允许本岗位查看这个字段（{field}）。请从页面列出的目的中选择，或请数据管理员登记。",
    "PEOPLE-010": "这个登录链接不能用：已用过、已过期，或不是从本机打开。请运行 bin/zhiwan link 取新的链接。",
    "AUDIT-001": "本机的 Python 没有 SM3，无法记录审计，因此不能办理。请告诉系统管理员。",
    "AUDIT-003": "用途最多 {most} 个字，现在是 {length} 个。请写短一些。",
    "AUDIT-004": "链头没有签名（{problem}）。请告诉系统管理员；记录没有丢失，下次签名会一并覆盖。",
    "AUDIT-005": "{month} 的审计记录不能清除：按月整体清除，从最早的月份起，至少留存 {months} 个月（{source}）。",
    "AUDIT-006": "最近 {days} 天内没有核验为完好，不能清除。请先核验；没有发现问题后再清除。",
    "AUDIT-007": "正在进行（{since} 开始）。请等它完成。",
    "AUDIT-008": "后台任务中断（{fact}）。请再试一次；若仍失败，请告诉系统管理员。",
    "PARAM-001": "没有载入参数 {name}。请载入声明它的应用场景。",
    "WAYS-001": "操作过于频繁。请 {minutes} 分钟后再试。",
    "WAYS-002": "连续错误次数过多，已锁定。{minutes} 分钟后自动解锁，也可以请安全管理员解锁。",
    "WAYS-003": "账号或密码不对。还可再试 {left} 次，之后会锁定。忘记密码请找管理员取恢复链接。",
    "WAYS-004": "这个密码不能用：{problems}",
    "WAYS-005": "动态码不对或已用过，还可再试 {left} 次。请核对手机时间，等下一个动态码，或使用恢复码。",
    "WAYS-006": "这个账号不能停用动态码，其岗位要求双因素登录（{roles}）。可以换一部手机。",
    "WAYS-007": "这不是手机号。手机号为 11 位，以 13 至 19 开头。",
    "WAYS-008": "验证码不对或已失效。请再看一遍，或重新获取。",
    "WAYS-009": "不能办理：{problem}",
    "WAYS-010": "服务账号不能保存：{problem}",
    "WAYS-011": "这不是本账号的，或已经不在了。需要时请找安全管理员。",
    "WAYS-012": "短信没有发出。请一分钟后再试；仍不行请告诉系统管理员。",
    "WAYS-014": "大屏只能看，不能办理。请到工作台登录。",
    "WAYS-015": "两次输入的新密码不一样。请重新输入。",
    "ID-001": "证照号码不对：位数、字符或校验位不符。请与证照核对，不要猜改。",
    "CASE-001": "案件 {case} 现在不能这样办理，可能别人已先办理。请刷新后再看。",
    "CASE-002": "案件 {case} 没有这种结果。请从列出的结果中选择。",
    "PLAN-001": "响应不能这样变更。请选择预案中的级别，并确认响应仍在执行。",
    "PLAN-002": "任务不能这样办理，可能别人已先办理。请刷新后再看。",
    "CITY-001": "还没有配置城区。请设置 ZHIWAN_PLACE 指向含 place.yml 的文件夹。",
    "CITY-002": "消息总线没有配置。请用 bin/up 启动。",
    "BUS-001": "消息总线没有应答，本次没有保存。请稍后再试。",
    "WATCH-010": "没有这条告警。请从告警列表打开。",
    "WATCH-011": "这条告警已由 {by} 确认。",
    "WATCH-020": "没有这条待处理数据。请刷新列表。",
    "WATCH-021": "这条数据已处理过。请刷新列表。",
    "WATCH-022": "不能这样办理：{problem_zh}。{advice_zh}。",
    "WATCH-030": "没有这样的预警、级别或区域（{id}）。请从列出的项目中选择。",
    "WATCH-031": "预警现在不能这样办理，可能别人已先办理。请刷新后再看。",
    "WATCH-032": "本岗位没有需要签收的预警。",
    "WATCH-033": "这种预警不由外单位发布（{kind}）。请改用“拟预警”。",
    "WATCH-034": "外来预警“{message}”没有登记：{problem_zh}。请与收到的原文核对编号和时间。",
    "WATCH-035": "这条预警由 {drafter} 拟稿或修改，须由另一人审核。",
    "WATCH-040": "规则 {rule} 没有载入，不能复核。请载入当时版本的应用场景。",
    "SENSE-002": "文件不符合来源“{source}”的声明（{problem}）。请把表头与应用场景 sources.yml 中的列名对照。",
    "SENSE-010": "文件 {name} 不能读取：{problem_zh}。{advice_zh}。",
    "IMPORT-001": "没有这个数据来源（{id}）。请从列出的来源中选择。",
    "IMPORT-002": "文件 {name} 没有读取：{problem_zh}。{advice_zh}。",
    "IMPORT-003": "导入中断（{fact}），稍后自动再试一次。若仍失败，请把编号告诉管理员。",
    "CITY-003": "数据库没有应答，读不到已签署的规则修改。请检查数据库。",
    "JUDGE-001": "表达式第 {position} 个字符处：{problem_zh}。{advice_zh}",
    "JUDGE-002": "{problem_zh}。{advice_zh}",
    "PACK-035": "日期不合适：{problem_zh}。请按生效日期排序。",
    "RULE-001": "没有这项内容（{id}）。请从规则列表打开。",
    "RULE-002": "提出的文本不能用。请修改标出的项目。",
    "RULE-003": "没有任何改动。请修改后再提出。",
    "RULE-004": "修改 #{id} 现在不能这样办理，可能别人已先办理。请刷新后再看。",
    "RULE-005": "这项修改由 {person} 提出，不能由本人签署。请另一位持有岗位的人看过预览后签署。",
    "RULE-006": "提出之后 {subject} 已变，预览和原文不是现行的。请撤回后重新提出。",
    "RULE-007": "预览还没有完成，不能签署。请等它完成，或再算一次。",
    "RULE-008": "推演中不修改规则。请回到实况。",
    "RULE-009": "缺少理由。请用一句话说明。",
    "RULE-010": "修改规则须由个人账号办理。请用本人账号登录。",
    "RULE-011": "“{given}”不是可用的时长。请写整数加单位：30s、10min、2h、1d，不超过 31d。",
    "RULE-012": "“{given}”不是数字。请按参数的单位填写数字，例如 35 或 4.55。",
    "RULE-013": "生效日期“{given}”不能用：{problem_zh}。{advice_zh}。",
    "RULE-014": "缺少依据。请写明文件名称和条款；凭记忆录入的请勾选“待核实”。",
    "EXPORT-001": "没有本岗位可以领取或审批的这份申请（{id}）。请从列表打开。",
    "EXPORT-002": "申请 {id} 现在不能这样办理。请刷新：可能别人已先办理；文件只能领取一次，并须在一天内领取。",
    "EXPORT-003": "{person} 是申请人，不能自己批准。请另一位值班长或数据管理员审批。",
    "EXPORT-004": "没有可以导出的内容。请选择类型、至少一个个人信息字段，以及有这些信息的区域。",
    "EXPORT-005": "有 {rows} 个对象，一次最多导出 {most} 个。请选择区域，或分几次申请。",
    "EXPORT-006": "个人信息只能由人申请和批准。请用本人账号登录。",
    "EXPORT-007": "本账号有 {count} 份申请还没有审批。请先撤回一些，或等待审批。",
    "KEEP-001": "已删除，但库文件里可能还有。{why}每夜会再试；也可以运行 zhiwan nightly。",
    "REG-001": "对象 {id} 不能保存：{problems}。本次没有写入。",
    "REG-003": "设备 {id} 不能登记：{problem}",
    "REG-005": "指令不能发给设备 {id}：{problem} 没有发出任何指令。",
    "REG-004": "区域 {code} 不能保存：{problem}",
    "PORTAL-002": "“{given}”不是数字。请填写数字，例如 3.35。",
    "PORTAL-003": "“{given}”不是时间。请按 2026-07-01 08:00 填写。",
}


def sentence(problem: CityError) -> str:
    """One sentence for the page, with the error's code so that it can be found in logs."""
    return sentence_of(problem.values, problem.as_dict())


def sentence_of(values: Mapping[str, object], texts: Mapping[str, str]) -> str:
    """The sentence of an error that was kept: its values, and its texts as `as_dict` gave them."""
    code = texts["code"]
    if not english() and (chinese := _CHINESE.get(code)):
        return f"{chinese.format_map(_Shown(_with_chinese(values)))}（{code}）"
    parts = [texts["fact"][:1].upper() + texts["fact"][1:], texts.get("detail", ""), texts.get("hint", "")]
    return " ".join(part if part.endswith(".") else f"{part}." for part in parts if part) + f" ({code})"


def _with_chinese(values: Mapping[str, object]) -> dict[str, object]:
    """What the kernel says in English of an expression, in Chinese beside it."""
    said = {f"{key}_zh": in_chinese(str(values[key])) for key in ("problem", "advice") if key in values}
    return said | dict(values)


class _Shown(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"
