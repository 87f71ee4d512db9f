"""Any split of a stream, with the state stored and loaded at any point, gives what the plain judge gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from building import DERIVES, NOW, book_of, frame, observation, pack, packs, rule, world_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhiwan.kernel.judge import JudgeState, judge, tick
from zhiwan.kernel.judge.plain import PlainJudge

RULES = [
    rule("simple"),
    rule("lasting", lasting="10min", clear="value < warning_level - 0.5", clear_lasting="5min"),
    rule("levels", when="value > :limit",
         level="CASE WHEN value >= 5 THEN 'red' WHEN value >= 4 THEN 'orange' ELSE 'blue' END",
         message={"zh": "{name}：{value - :limit}，前值 {previous}", "en": "{value}"}),
    rule("rise", when="value - previous > 1", lateness="20min", near="1h"),
    rule("mean", when="mean(value, '15min') > 3 AND count(value, '15min') > 1", lateness="30min"),
    rule("upstream", when="latest(up.level) > value AND latest(self.rain) > 2", latched=True),
    rule("where", when="value > 2", where="watched AND kind = 'tide'", clear="value < 1"),
    rule("risk", watch="Station.risk", when="value > 6", lasting="5min"),
    rule("total", watch="Station.total", when="value >= 8"),
    rule("gone", absent="15min", when=None),
]  # fmt: skip
PACKS = packs(pack(RULES, derives=DERIVES, cadence="5min"))
BOOK = book_of(PACKS)
WORLD = world_of(PACKS, links=[("a", "up", "b"), ("b", "up", "c"), ("b", "up", "a")])

quarter = st.integers(0, 24).map(lambda x: x / 4)
reading = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(["level", "level", "rain"]),
    st.integers(-6, 3),  # how much later than the one before (x 2.5 min): negative arrives late
    quarter,
    st.sampled_from([0, 0, 0, 0, 1]),
    st.booleans(),  # begins a new message
)


@st.composite
def streams(draw):
    rows, minute, seq = [], 100.0, 1
    for entity, prop, later, value, quality, new in draw(st.lists(reading, min_size=1, max_size=40)):
        seq += int(new)
        rows.append(observation(entity, max(minute + 2.5 * later, 0), value, seq, prop, quality))
        minute = max(minute, minute + 2.5 * later) + draw(st.sampled_from([0.0, 2.5, 5.0, 20.0]))
    cuts = sorted(draw(st.sets(st.sampled_from(sorted({row["seq"] for row in rows})))))
    return rows, cuts


def batches(rows, cuts):
    bounds = [-1, *cuts, max(row["seq"] for row in rows)]
    for low, high in pairwise(bounds):
        yield [row for row in rows if low < row["seq"] <= high]


def stored(rows: dict, state: JudgeState) -> JudgeState:
    """The state as a store would give it back."""
    for row in state.changed():
        if row.body is None:
            rows.pop((row.kind, row.key), None)
        else:
            rows[row.kind, row.key] = row
    state.mark_saved()
    return JudgeState.load(rows.values())


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams())
def test_any_split_gives_what_the_plain_judge_gives(stream):
    rows, cuts = stream
    plain = PlainJudge(BOOK, WORLD, NOW)
    plain.judge(rows)

    state, store, events, derived = JudgeState(), {}, [], []
    for batch in batches(rows, cuts):
        judgement = judge(BOOK, WORLD, state, frame(batch), NOW)
        assert not judgement.problems
        events += judgement.events
        derived += judgement.derived.to_dicts()
        state = stored(store, state)
    assert derived == frame(plain.derived).to_dicts()
    assert [event.id for event in events] == [event.id for event in plain.events]
    assert events == plain.events


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams(), st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
def test_ticks_between_messages_are_part_of_the_stream(stream, ticks, cuts):
    """The clock may tick anywhere; where batches are cut besides still changes nothing."""
    rows, _ = stream

    def told(cuts):
        state, store, events = JudgeState(), {}, []
        for batch in batches(rows, sorted(cuts | ticks)):
            if not batch:
                continue
            events += judge(BOOK, WORLD, state, frame(batch), NOW).events
            if batch[-1]["seq"] in ticks:
                state = stored(store, state)
                newest = max(row["observed_at"] for row in rows if row["seq"] <= batch[-1]["seq"])
                events += tick(BOOK, WORLD, state, newest + timedelta(minutes=7)).events
                for event in events[-1:]:
                    state.release(event.alarm_id)
            if batch[-1]["seq"] in cuts:
                state = stored(store, state)
        return [replace(event, recorded_at=NOW) for event in events]

    assert told(cuts) == told(set())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(streams())
def test_late_data_ends_where_punctual_data_ends(stream):
    """Within the lateness, the alarms in the end are those of a stream that came in order."""
    rows, _ = stream
    rows = [row for row in rows if row["property"] == "level" and not row["quality"]]
    rows = list({(row["entity"], row["observed_at"]): row for row in rows}.values())
    book = book_of(packs(pack([rule("simple", lateness="1d"), rule("lasting", lasting="10min", lateness="1d")])))
    numbered = [row | {"seq": i} for i, row in enumerate(rows)]
    ordered = [row | {"seq": i} for i, row in enumerate(sorted(rows, key=lambda row: row["observed_at"]))]
    late, punctual = (alarms(judge(book, WORLD, JudgeState(), frame(one), NOW)) for one in (numbered, ordered))
    # One told alarm may bridge pauses that late data showed; it begins and ends where an alarm truly does.
    assert begins(late) <= begins(punctual)
    assert ends(late) <= ends(punctual)
    assert {alarm[:2] for alarm in late if alarm[3] is None} == {alarm[:2] for alarm in punctual if alarm[3] is None}
    assert covered(late) >= covered(punctual)


def alarms(judgement):
    """Rule, entity, begin and end of each alarm that stands in the end."""
    last = {event.alarm_id: event for event in judgement.events}
    return [
        (event.rule, event.entity, event.opened_at, event.cleared_at)
        for event in last.values() if event.state != "withdrawn"
    ]  # fmt: skip


def begins(alarms):
    return {(rule, entity, begin) for rule, entity, begin, _ in alarms}


def ends(alarms):
    return {(rule, entity, end) for rule, entity, _, end in alarms}


def covered(alarms):
    """Pieces of 2.5 minutes with an alarm."""
    step, last = timedelta(minutes=2.5), NOW
    return {
        (rule, entity, begin + step * i)
        for rule, entity, begin, end in alarms
        for i in range(int(((end or last) - begin) / step))
    }  # fmt: skip
