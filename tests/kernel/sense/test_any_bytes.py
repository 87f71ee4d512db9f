"""Whatever bytes come, nothing raises, nothing is silent, and a good message beside them is taken."""

from __future__ import annotations

import contextlib
import json

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sense_world import NOON, intake, message, rows_message

from zhiwan.kernel.sense import BodyRefused, IntakeMemory, decode_http_rows

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["level", "g1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["at", "values", "device", "level", "value", "unit", "n", "v", "bn", "bt", "t", "u", "vb", "\ud800"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode())


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=60), json_like))
@example(b'{"values": {"\\ud800": 1, "level": "\\udfff"}}')
@example(b'{"device": "\\ud800", "values": {"level": 1}}')
@example(b'[{"n": "level", "v": 1, "u": "\\ud800"}]')
@example(b'{"values": {"level": {"value": 1e308, "unit": "km"}}}')
def test_any_bytes_are_taken_or_set_aside(payload: bytes) -> None:
    door, good = intake(), {"values": {"level": 1}}
    for kind in ("telemetry", "senml", "else"):
        taken = door.take([message(payload, 1, kind=kind), message(good, 2, "g3")], IntakeMemory(), NOON)
        assert "e-g3" in taken.observations["entity"].to_list()
        for aside in taken.set_aside:
            "".join((aside.raw, aside.property, aside.device, aside.reason_zh, aside.reason_en)).encode()
    door.take([rows_message(payload)], IntakeMemory(), NOON)
    for content_type in ("application/json", "application/x-ndjson"):
        with contextlib.suppress(BodyRefused):
            found = decode_http_rows(payload, content_type, intake=door, received_at=NOON)
            replayed = door.take([rows_message(one) for one in found.messages], IntakeMemory(), NOON)
            assert replayed.set_aside == [], "what the door accepts, intake takes"
