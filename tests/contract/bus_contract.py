"""What every bus promises. Each implementation is one subclass (test_bus.py)."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest

from zhiwan.kernel.bus.messages import BusFull, BusUnavailable, MessageTooLarge
from zhiwan.kernel.bus.port import Bus, StreamReader

STREAM = "INTAKE"
SUBJECT = "intake.api"


def drain(reader: StreamReader, wait: float = 0.2) -> list[bytes]:
    return [message.payload for message in reader.pull(10_000, wait)]


class BusContract:
    """Subclasses give `bus`: empty streams, INTAKE of 200,000 bytes, payloads up to 1 MiB."""

    @pytest.fixture
    def reader(self, bus: Bus) -> StreamReader:
        return bus.open_reader(STREAM)

    def test_messages_come_in_the_order_of_storing_with_rising_numbers(self, bus: Bus, reader: StreamReader) -> None:
        numbers = [bus.publish(SUBJECT, b"%d" % n) for n in range(50)]
        found = reader.pull(50, 2)
        assert [message.payload for message in found] == [b"%d" % n for n in range(50)]
        assert [message.seq for message in found] == numbers
        assert all(a < b for a, b in pairwise(numbers))
        assert {(message.stream, message.subject) for message in found} == {(STREAM, SUBJECT)}
        assert found[0].received_at.utcoffset() is not None

    def test_a_pull_gives_no_more_than_asked_and_goes_on_where_it_ended(self, bus: Bus, reader: StreamReader) -> None:
        for n in range(7):
            bus.publish(SUBJECT, b"%d" % n)
        assert [m.payload for m in reader.pull(3, 1)] == [b"0", b"1", b"2"]
        assert [m.payload for m in reader.pull(3, 1)] == [b"3", b"4", b"5"]
        assert drain(reader) == [b"6"]

    def test_an_empty_stream_waits_and_gives_nothing(self, reader: StreamReader) -> None:
        began = time.monotonic()
        assert reader.pull(10, 0.2) == []
        assert 0.15 < time.monotonic() - began < 2

    def test_a_pull_ends_when_it_has_what_was_asked(self, bus: Bus, reader: StreamReader) -> None:
        later = threading.Timer(0.1, bus.publish, (SUBJECT, b"late"))
        later.start()
        began = time.monotonic()
        assert [m.payload for m in reader.pull(1, 5)] == [b"late"]
        assert time.monotonic() - began < 3
        later.join()  # the message may be here before its sender is answered

    def test_unacknowledged_messages_come_again_after_rewind_with_the_same_number(
        self, bus: Bus, reader: StreamReader
    ) -> None:
        for n in range(4):
            bus.publish(SUBJECT, b"%d" % n)
        first = reader.pull(4, 1)
        reader.ack(first[1].seq)
        bus.publish(SUBJECT, b"4")
        reader.rewind()
        again = reader.pull(10, 0.2)
        assert [(m.seq, m.payload) for m in again][:2] == [(m.seq, m.payload) for m in first[2:]]
        assert [m.payload for m in again] == [b"2", b"3", b"4"]

    def test_a_new_reader_begins_after_the_last_acknowledged(self, bus: Bus, reader: StreamReader) -> None:
        for n in range(3):
            bus.publish(SUBJECT, b"%d" % n)
        reader.ack(reader.pull(3, 1)[0].seq)
        assert drain(bus.open_reader(STREAM)) == [b"1", b"2"]

    def test_acknowledged_messages_never_come_again(self, bus: Bus, reader: StreamReader) -> None:
        bus.publish(SUBJECT, b"a")
        reader.ack(reader.pull(1, 1)[0].seq)
        reader.rewind()
        assert drain(reader) == []
        assert reader.waiting() == 0

    def test_waiting_counts_what_is_not_acknowledged(self, bus: Bus, reader: StreamReader) -> None:
        for _ in range(3):
            bus.publish(SUBJECT, b"x")
        assert reader.waiting() == 3
        found = reader.pull(3, 1)
        assert reader.waiting() == 3
        reader.ack(found[1].seq)
        assert reader.waiting() == 1

    def test_a_full_stream_refuses_and_keeps_what_it_has(self, bus: Bus, reader: StreamReader) -> None:
        stored = 0

        def fill() -> None:
            nonlocal stored
            for _ in range(40):
                bus.publish(SUBJECT, bytes(10_000))
                stored += 1

        with pytest.raises(BusFull) as refused:
            fill()
        assert "INTAKE" in str(refused.value)
        assert stored > 5
        found = reader.pull(1000, 0.3)
        assert len(found) == stored
        reader.ack(found[-1].seq)
        bus.publish(SUBJECT, b"room again")
        assert drain(reader) == [b"room again"]

    def test_it_tells_how_full_a_stream_is(self, bus: Bus, reader: StreamReader) -> None:
        empty = bus.fullness()[STREAM]
        for _ in range(10):
            bus.publish(SUBJECT, bytes(10_000))
        assert empty < 0.1
        assert 0.45 < bus.fullness()[STREAM] < 0.6
        reader.ack(reader.pull(10, 1)[-1].seq)

    def test_a_message_beyond_the_limit_is_refused(self, bus: Bus, reader: StreamReader) -> None:
        with pytest.raises(MessageTooLarge):
            bus.publish(SUBJECT, bytes(2 << 20))
        assert drain(reader) == []

    def test_a_subject_no_stream_keeps_is_refused_instead_of_lost(self, bus: Bus) -> None:
        with pytest.raises(BusUnavailable):
            bus.publish("nowhere.at.all", b"x")

    def test_a_stream_has_one_time_of_making(self, bus: Bus) -> None:
        assert bus.open_reader(STREAM).created == bus.open_reader(STREAM).created

    def test_another_reader_gets_its_subjects_from_now_on_and_costs_the_first_nothing(
        self, bus: Bus, reader: StreamReader
    ) -> None:
        bus.publish(SUBJECT, b"before")
        bus.add_reader(STREAM, "story", ["intake.story", "intake.both"])
        other = bus.open_reader(STREAM, "story")
        for subject in (SUBJECT, "intake.story", "intake.both"):
            bus.publish(subject, subject.encode())
        found = other.pull(10, 0.3)
        assert [message.payload for message in found] == [b"intake.story", b"intake.both"]
        mine = reader.pull(10, 0.3)
        assert [message.payload for message in mine] == [b"before", b"intake.api", b"intake.story", b"intake.both"]
        assert [message.seq for message in mine][-2:] == [message.seq for message in found]
        assert not bus.has_read(STREAM, bus.last_stored(STREAM))
        reader.ack(mine[-1].seq)
        assert (reader.waiting(), other.waiting()) == (0, 2)
        assert bus.has_read(STREAM, bus.last_stored(STREAM))
        assert not bus.has_read(STREAM, bus.last_stored(STREAM), "story")
        other.ack(found[0].seq)
        bus.add_reader(STREAM, "story", ["intake.story", "intake.both"])  # again: nothing is forgotten
        assert drain(bus.open_reader(STREAM, "story")) == [b"intake.both"]
        bus.drop_reader(STREAM, "story")
        bus.drop_reader(STREAM, "story")
        bus.publish("intake.story", b"after")
        assert drain(reader) == [b"after"]

    def test_a_hint_never_raises(self, bus: Bus) -> None:
        bus.announce(b"{}")
