"""What an HJ 212 frame says: fields, the answer, factors and flags, messages in packets, codes by dated parameters."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212_frames import MN, air, text
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.sense import DeviceInfo, Intake
from zhiwan.kernel.sense.decoders.hj212 import (
    Damaged,
    Frame,
    FrameReader,
    Packet,
    Parts,
    answer,
    frame,
    read_content,
    read_factors,
    read_packet,
)
from zhiwan.kernel.sense.hj212_rows import FactorTables, Hj212Rows, decode_hj212_rows, problem_of
from zhiwan.kernel.sense.reasons import REASONS, set_aside

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = datetime(2026, 11, 24, 12, tzinfo=SHANGHAI)


def packet(said: bytes) -> Packet:
    found = read_packet(said)
    assert isinstance(found, Packet)
    return found


# -- fields ----------------------------------------------------------------------------------------------------------


def test_fields_of_a_packet() -> None:
    one = packet(text("DataTime=20261124120000;a34004-Rtd=9", flag=7, more="PNUM=3;PNO=2;"))
    assert (one.mn, one.cn, one.st, one.pw, one.flag) == (MN, "2011", "22", "123456", 7)
    assert (one.part, one.parts, one.wants_answer) == (2, 3, True)
    assert one.cp == "DataTime=20261124120000;a34004-Rtd=9"
    assert "123456" not in repr(one)


WRONG = {
    "no data area": b"ST=22;CN=2011;PW=1;MN=A;Flag=4",
    "an open data area": b"ST=22;CN=2011;PW=1;MN=A;CP=&&DataTime=1",
    "no device": b"ST=22;CN=2011;PW=1;CP=&&&&",
    "a device that is a path": b"ST=22;CN=2011;PW=1;MN=../a;CP=&&&&",
    "a field twice": b"ST=22;CN=2011;PW=1;MN=A;MN=B;CP=&&&&",
    "part 3 of 2": b"ST=22;CN=2011;PW=1;MN=A;PNUM=2;PNO=3;CP=&&&&",
    "an answer wanted to no number": b"ST=22;CN=2011;PW=1;MN=A;Flag=5;CP=&&&&",
    "digits of another script": "ST=22;CN=２０１１;PW=1;MN=A;CP=&&&&".encode(),
    "nothing": b"",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_packet(name: str) -> None:
    found = read_packet(WRONG[name])
    assert isinstance(found, Damaged)
    assert found.code == "FRAME_FIELDS"


def test_the_answer_bears_the_number_of_its_request_and_is_a_frame_itself() -> None:
    (found,) = FrameReader().feed(answer(packet(text("", flag=5))))
    assert isinstance(found, Frame)
    said = packet(found.text)
    assert (said.cn, said.st, said.qn, said.mn, said.wants_answer) == ("9014", "91", "20261124120000123", MN, False)


def test_passwords_are_not_shown() -> None:
    assert "123456" not in problem_of(Damaged("FRAME_CRC", frame(text("x=1")), "1 ≠ 2")).raw


# -- content ---------------------------------------------------------------------------------------------------------


def test_time_is_that_of_the_place() -> None:
    content = read_content("DataTime=20261124120000;a34004-Rtd=9,a34004-Flag=N", SHANGHAI)
    assert content.at == NOON.timestamp() * 1e6
    assert content.factors == {"a34004": {"Rtd": "9", "Flag": "N"}}


@pytest.mark.parametrize(
    "time", ["20261324120000", "2026112412", "", "0000", "２０２６１１２４１２００００", "00010101000000"]
)
def test_a_time_that_is_none(time: str) -> None:
    content = read_content(f"DataTime={time};a34004-Rtd=9", SHANGHAI)
    assert content.at is None
    assert [one.code for one in content.problems] == ["FRAME_TIME"]


def test_a_factor_said_twice_differently_is_nobodys_value() -> None:
    content = read_content("a21-Rtd=0.00;a21-Rtd=0.00;a34004-Rtd=1;a34004-Rtd=2", SHANGHAI)
    assert content.factors == {"a21": {"Rtd": "0.00"}, "a34004": {}}
    assert [one.property for one in content.problems] == ["a34004-Rtd"]


@pytest.mark.parametrize("flag", ["F", "M", "S", "D", "C", "T", "B", "X", ""])
def test_a_value_the_instrument_does_not_stand_behind_is_set_aside(flag: str) -> None:
    content = read_content(f"DataTime=20261124120000;a34004-Rtd=9,a34004-Flag={flag};a34002-Rtd=12", SHANGHAI)
    reading, problems = read_factors(content, {})
    assert reading.values == [("a34002-Rtd", 12.0)]
    assert [(one.code, one.property) for one in problems] == [("DATA_FLAG", "a34004")]


# -- packets of one message ------------------------------------------------------------------------------------------


def _part(number: int, of: int, cp: str) -> tuple[Packet, object]:
    one = packet(text(cp, more=f"PNUM={of};PNO={number};"))
    return one, read_content(one.cp, SHANGHAI)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 1, 3)])
def test_packets_without_time_have_that_of_their_message(order: tuple[int, ...]) -> None:
    said = {1: "DataTime=20261124120000;a34004-Rtd=9", 2: "a34002-Rtd=12", 3: "a21026-Rtd=5"}
    parts, times = Parts(), {}
    for number in order:
        ready, late = parts.add(*_part(number, 3, said[number]), now=0)  # type: ignore[arg-type]
        assert not late
        times |= {one.packet.part: one.content.at for one in ready}
    assert times == dict.fromkeys((1, 2, 3), NOON.timestamp() * 1e6)
    assert parts.end() == []


def test_a_packet_with_its_own_time_waits_for_nobody_and_the_missing_one_is_told() -> None:
    parts = Parts(patience=60)
    ready, _ = parts.add(*_part(2, 2, "DataTime=20261124120000;a01006-Avg=101.85"), now=0)  # type: ignore[arg-type]
    assert len(ready) == 1
    assert parts.expired(59) == []
    ((_, told),) = parts.expired(61)
    assert (told.code, told.detail) == ("FRAME_PARTS", "PNO 1 / 2")


def test_packets_that_never_get_a_time_are_told_one_by_one_and_few_messages_are_kept() -> None:
    parts, told = Parts(), []
    for number in range(40):
        one = packet(text("a34004-Rtd=9", more="PNUM=2;PNO=2;").replace(b"123;", b"%03d;" % number, 1))
        told += parts.add(one, read_content(one.cp, SHANGHAI), now=0)[1]
    told += parts.end()
    assert [one.code for _, one in told] == ["FRAME_PARTS", "FRAME_TIME"] * 40


# -- rows ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packs(request: pytest.FixtureRequest) -> PackSet:
    return load_packs([request.config.rootpath / "packs"])


def rows(packs: PackSet, cp: str, type_name: str = "AirStation", received: datetime = NOON) -> Hj212Rows:
    intake = Intake(packs, {MN: DeviceInfo("e", type_name)})
    tables = FactorTables(packs.parameters)
    return decode_hj212_rows(MN, read_content(cp, SHANGHAI), intake=intake, tables=tables, received_at=received)


def test_factors_become_properties_in_their_units(packs: PackSet) -> None:
    found = rows(packs, air(NOON, a34004=9, a21005=0.7) + ";a01006-Avg=101.85,a01006-Min=101.84,a01006-Max=101.87")
    assert found.problems == []
    assert found.message is not None
    row = json.loads(found.message)
    assert row["device"] == MN
    assert row["at"] == NOON.timestamp() * 1000
    assert row["values"] == {"pm25": 9, "co": 0.7, "pressure": pytest.approx(1018.5)}


def test_what_is_not_declared_is_set_aside_by_its_code(packs: PackSet) -> None:
    found = rows(packs, air(NOON, a34004="x", a99999=1, a21026="NaN"))
    assert found.message is None
    assert sorted((one.code, one.property) for one in found.problems) == [
        ("NOT_A_NUMBER", "pm25"),
        ("NOT_FINITE", "so2"),
        ("UNKNOWN_PROPERTY", "a99999-Rtd"),
    ]


def test_codes_hold_from_their_date(packs: PackSet) -> None:
    before = datetime(2017, 4, 30, 12, tzinfo=SHANGHAI)
    found = rows(packs, air(before, a34004=9), received=before)
    assert [one.code for one in found.problems] == ["UNKNOWN_PROPERTY"]
    after = before + timedelta(days=1)
    assert rows(packs, air(after, a34004=9), received=after).problems == []


def test_old_data_is_refused_as_at_every_live_door(packs: PackSet) -> None:
    found = rows(packs, air(datetime(2019, 9, 1, tzinfo=SHANGHAI), a34004=9))
    assert [one.code for one in found.problems] == ["TOO_OLD"]


def test_every_declared_factor_names_a_property_and_a_unit_that_converts(packs: PackSet) -> None:
    for pack in packs.packs:
        for parameter in pack.parameters:
            for entry in parameter.in_force if parameter.id == "hj212_factors" else ():
                for row in entry.table or []:
                    cp = f"DataTime={NOON:%Y%m%d%H%M%S};{row['code']}-{row['field']}=1"
                    found = rows(packs, cp, str(row["type"]))
                    assert found.message is not None, (row, found.problems)


# -- any bytes -------------------------------------------------------------------------------------------------------

cp_like = st.text(alphabet="aw0123456789-=,;.&RtdFlagNDTime\x00\udcff甲", max_size=60)
said = st.one_of(
    st.binary(max_size=120), cp_like.map(lambda cp: text("").replace(b"&&&&", f"&&{cp}&&".encode("utf-8", "replace")))
)


@settings(max_examples=400, deadline=None)
@given(st.lists(said, max_size=6), st.integers(0, 3))
def test_any_bytes_are_told_of_and_nothing_raises(packs: PackSet, texts: list[bytes], patience: int) -> None:
    stream = b"".join(frame(one) if len(one) < 9999 else one for one in texts)
    reader, parts = FrameReader(), Parts(patience)
    intake = Intake(packs, {MN: DeviceInfo("e", "AirStation")})
    tables = FactorTables(packs.parameters)
    told = []
    for number, one in enumerate([*reader.feed(stream), *reader.end()]):
        found = read_packet(one.text) if isinstance(one, Frame) else one
        if isinstance(found, Damaged):
            told.append(problem_of(found))
            continue
        answer(found)
        ready, late = parts.add(found, read_content(found.cp, SHANGHAI), number)
        told += [problem_of(damage) for _, damage in late]
        for each in ready:
            told += decode_hj212_rows(
                MN, each.content, intake=intake, tables=tables, received_at=NOON.astimezone(UTC)
            ).problems
    for problem in told:
        assert problem.code in REASONS
        row = set_aside(problem, 1, MN, None)
        "".join([row.raw, row.property, row.reason_zh, row.reason_en]).encode()  # storable: no lone surrogates
