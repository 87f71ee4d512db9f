"""What the judge's parser says of an expression, in Chinese: its sentences are few, names and numbers stay as they are.

The parser itself speaks English (its words also go to logs and pack authors). A sentence without a line here is shown
as it came.
"""

from __future__ import annotations

import re

_KINDS = {"number": "数值", "text": "文字", "boolean": "真假", "time": "时间"}
#: Pattern of a whole sentence → the same in Chinese; \1 … are what the parentheses matched.
_SENTENCES: tuple[tuple[str, str], ...] = (
    # problems
    (r"it is empty", "没有内容"),
    (r"it is NULL and nothing else", "只有 NULL"),
    (r"it is too large", "过于复杂"),
    (r"it is nested too deeply", "嵌套过深"),
    (r"it is longer than (\d+) characters", r"超过 \1 个字符"),
    (r"this is not an expression", "不是完整的表达式"),
    (r"comments are not part of an expression", "表达式里不写注释"),
    (r"there is more than one statement", "只能写一个表达式"),
    (r'the name "(.*)" is not known here', r"没有“\1”这个名称"),
    (r'the parameter ":(.*)" is not known here', r"没有参数“:\1”"),
    (r'the link "(.*)" is not known here', r"没有关联“\1”"),
    (r'"(.*)" leads to no property "(.*)"', r"关联“\1”没有监测项“\2”"),
    (r'the function "(.*)" is not listed', r"不支持函数“\1”"),
    (r"(\w+) takes (\d+) argument\(s\)", r"\1 需要 \2 个参数"),
    (r"(\w+) takes (\d+) to (\d+) argument\(s\)", r"\1 需要 \2 至 \3 个参数"),
    (r"the decimals of round are not a number from 0 to 9", "round 的小数位应为 0 到 9"),
    (r"latest needs link\.property", "latest 里要写“关联.监测项”"),
    (r"there is no watched value here to look back on", "这里没有可回看的数值"),
    (r"(\w+) looks back on the watched value over a span", r"\1 回看监测值的一段时间"),
    (r"the span of (\w+) is not a text", r"\1 的时段要加引号"),
    (r'"(.*)" is no span', r"“\1”不是时段"),
    (r"the span is not between 1 s and 31 d", "时段应在 1 秒到 31 天之间"),
    (r"the number is too large", "数字过大"),
    (r"(\w+)s have no order", r"\1不能比较大小"),
    (r"BETWEEN does not order (\w+)s", r"BETWEEN 不能用于\1"),
    (r"the list of IN is empty", "IN 的列表是空的"),
    (r"IS is only for NULL", "IS 只用于 NULL"),
    (r"all sides are NULL", "各处都是 NULL"),
    (r"(\w+) and (\w+) do not mix", r"\1和\2不能混用"),
    (r"(\w+) and (\w+) and (\w+) do not mix", r"\1、\2和\3不能混用"),
    (r"this is an? (\w+), an? (\w+) is needed", r"这里需要\2，得到的是\1"),
    (r"(\S+) and (\S+) are different units", r"单位不同：\1 与 \2"),
    (r"a dot is only for :pack\.parameter and link\.property", "点号只用于“:场景.参数”和“关联.监测项”"),
    (r"(.*) with (\w+) is not part of the language", r"不支持这种写法（\1 \2）"),
    (r'"(.*)" is no choice of (.*)', r"\2没有“\1”这个选项"),
    (r"(.*) is not part of the language", r"不支持这种写法（\1）"),
    (r"it has neither when nor absent", "条件和无数据时长都没有"),
    (r'its scale has no level "(.*)"', r"没有“\1”这个级别"),
    (r"(\S+) does not come after (\S+)", r"\1 不晚于 \2"),
    (r"the value before it holds until (\S+), past (\S+)", r"前一个数值有效到 \1，晚于 \2"),
    # advice
    (r"Write what it should give\.", "请写出应得的结果。"),
    (r"Write an expression\.", "请写表达式。"),
    (r"Write one expression(, without ;)?\.", "请只写一个表达式，不带分号。"),
    (r"Write an expression of kind (\w+)\.", r"请写结果为\1的表达式。"),
    (r"Write a value on one side\.", "请至少写一个值。"),
    (r"Write the values: IN \(1, 2\)\.", "请列出数值：IN (1, 2)。"),
    (r"Write x IS NULL, x IS NOT NULL, or x = TRUE\.", "请写 x IS NULL、x IS NOT NULL 或 x = TRUE。"),
    (r"Write round\(x, 1\)\.", "请写 round(x, 1)。"),
    (
        r"Write latest\(upstream\.level\), or latest\(self\.level\)\.",
        "请写 latest(upstream.level) 或 latest(self.level)。",
    ),
    (
        r"Write (\w+)\(value, '1h'\); spans are 30s, 10min, 2h, 1d\.",
        r"请写 \1(value, '1h')；时段如 30s、10min、2h、1d。",
    ),
    (r"Split the rule in two, or move the calculation to a derive step\.", "请拆成两条规则，或改用计算步骤。"),
    (r"Split it(, or use a derive step)?\.", "请拆开写。"),
    (r"Put the words in the YAML\.", "请把说明写在修改理由里。"),
    (r"Put a space between two minus signs\.", "两个减号之间请加空格。"),
    (r"Compare them with = or <>, or use IN\.", "请用 =、<> 或 IN。"),
    (r"Use it with numbers\.", "请用于数值。"),
    (r"Use a derive step\.", "请改用计算步骤。"),
    (r"Use the history of the lake beyond a month\.", "超过一个月请查历史库。"),
    (r"Bring both sides to one kind\.", "请统一两边的类别。"),
    (r"Declare both in one unit, or convert with a factor: value / 100\.", "请换算成同一单位，例如 value / 100。"),
    (r"A number is a double, below 1\.8e308\.", "数字应小于 1.8e308。"),
    (r"Give (.*)\.", r"请给 \1 个。"),
    (r"Add one of them\.", "请至少填一个。"),
    (r'Did you mean "(.*)"\?', r"是不是“\1”？"),
    (r"Known here: nothing\.", "这里没有可用的名称。"),
    (r"Known here: (.*)\.", r"可用：\1。"),
    (r"Levels of the scale: (.*)\.", r"可用级别：\1。"),
    (r"It is one of: (.*)\.", r"可选：\1。"),
    (
        r"Use \+ - \* /, comparisons.* and the functions (.*)\.",
        r"可用：+ - * /、比较、BETWEEN、IN、IS NULL、AND、OR、NOT、CASE WHEN，函数 \1。",
    ),
)


def in_chinese(sentence: str) -> str:
    """The sentence in Chinese; one that has no line here as it came."""
    for pattern, chinese in _SENTENCES:
        if (found := re.fullmatch(pattern, sentence, re.DOTALL)) is not None:
            for number, part in enumerate(found.groups(), 1):
                chinese = chinese.replace(f"\\{number}", _KINDS.get(part or "", part or ""))
            return chinese
    return sentence
