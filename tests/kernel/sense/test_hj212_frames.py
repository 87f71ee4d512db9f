"""HJ 212 on the line: any split of the bytes gives the same frames, damage costs nothing but itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212_frames import PUBLIC, PUBLIC_INTACT, damaged, text
from zhiwan.kernel.sense.decoders.hj212 import Damaged, Frame, FrameReader, crc16, frame

A, B = text("DataTime=20261124120000;a34004-Rtd=9"), text("DataTime=20261124120500;a34004-Rtd=12")


def read(*portions: bytes) -> list[Frame | Damaged]:
    reader = FrameReader()
    return [one for portion in portions for one in reader.feed(portion)] + reader.end()


def told(found: list[Frame | Damaged]) -> list[str]:
    return [one.code if isinstance(one, Damaged) else "frame" for one in found]


def test_the_checksum_is_that_of_the_standard() -> None:
    # The example in appendix A.
    said = "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert f"{crc16(said.encode()):04X}" == "1C80"


@pytest.mark.skipif(not PUBLIC.exists(), reason="needs the public test frames; ZHIWAN_MEASURED_DATA says where")
def test_of_the_seven_public_frames_four_are_right() -> None:
    found = read(PUBLIC.read_bytes())
    assert [isinstance(one, Frame) for one in found] == PUBLIC_INTACT
    assert {one.code for one in found if isinstance(one, Damaged)} == {"FRAME_CRC"}


TABLE = {
    "two frames in one packet": (frame(A) + frame(B), ["frame", "frame"]),
    "without CR": (frame(A).replace(b"\r\n", b"\n") + frame(B), ["frame", "frame"]),
    "without any line end": (frame(A).strip() + frame(B).strip(), ["frame", "frame"]),
    "small letters in the checksum": (frame(A)[:-6] + frame(A)[-6:].lower(), ["frame"]),
    "a changed digit": (damaged(A) + frame(B), ["FRAME_CRC", "frame"]),
    "a changed digit at the very end": (frame(A) + damaged(B).strip(), ["frame", "FRAME_CRC"]),
    "noise before": (b"GET / HTTP/1.1\r\n\r\n" + frame(A), ["FRAME_NOISE", "frame"]),
    "noise between": (frame(A) + b"\x00\xff#x" + frame(B), ["frame", "FRAME_NOISE", "frame"]),
    "one # too many": (b"#" + frame(A), ["FRAME_NOISE", "frame"]),
    "only line ends": (b"\r\n\r\n\x00", []),
    "declared too long": (b"##9999" + frame(A)[6:] + frame(B), ["FRAME_LENGTH", "frame"]),
    "declared too short": (b"##0010" + frame(A)[6:] + frame(B), ["FRAME_LENGTH", "frame"]),
    "cut off, then the next": (frame(A)[:40] + frame(B), ["FRAME_LENGTH", "frame"]),
    "cut off at the end": (frame(A) + frame(B)[:40], ["frame", "FRAME_LENGTH"]),
    "no length": (b"##12x4abc\r\n" + frame(A), ["FRAME_NOISE", "frame"]),
    "nothing but a start": (b"##", ["FRAME_NOISE"]),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_the_reader_tells(name: str) -> None:
    stream, expected = TABLE[name]
    assert told(read(stream)) == expected
    assert told(read(*(stream[i : i + 1] for i in range(len(stream))))) == expected


pieces = st.one_of(
    st.sampled_from([frame(A), frame(B), damaged(A), frame(A)[:50], frame(B)[20:], b"##", b"#", b"##0004", b"##9999"]),
    st.binary(max_size=12),
    st.text("#0123456789abcF\r\n", max_size=12).map(str.encode),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join), st.data())
def test_any_split_gives_the_same(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    portions = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*portions) == read(stream)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 25_000), st.sampled_from([b"x", b"#", b"##0001", b"##9999"]), st.integers(1, 7000))
def test_a_sender_of_nonsense_costs_a_bounded_memory(size: int, begin: bytes, step: int) -> None:
    stream = begin + b"z" * size
    reader = FrameReader()
    found = []
    for at in range(0, len(stream), step):
        found += reader.feed(stream[at : at + step])
        assert len(reader._buffer) + len(reader._noise) <= 10_100 + 4096
    assert found + reader.end() == read(stream)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=30).filter(lambda noise: b"##" not in noise), st.integers(0, len(frame(A)) - 1))
def test_a_frame_is_found_behind_anything(noise: bytes, cut: int) -> None:
    found = read(noise + b"\r\n" + frame(A)[:cut] + b"\r\n" + frame(B))
    assert found[-1] == Frame(B)
