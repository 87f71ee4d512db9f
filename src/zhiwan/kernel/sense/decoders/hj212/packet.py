"""One intact frame as the fields of HJ 212: QN ST CN PW MN Flag PNUM PNO and the data area CP=&&…&&."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from zhiwan.kernel.sense.decoders.hj212.frames import Damaged, frame

#: Command numbers (CN) of what an instrument sends without being asked.
ANSWER = "9014"
DATA = {"2011": "real time", "2051": "minutes", "2061": "hour", "2031": "day"}
#: The system number (ST) of what only keeps the conversation going.
CONVERSATION = "91"
_OPEN, _CLOSE = "CP=&&", "&&"
_PATTERNS = {
    "QN": re.compile(r"[0-9]{17}", re.ASCII),
    "ST": re.compile(r"[0-9]{2}", re.ASCII),
    "CN": re.compile(r"[0-9]{4}", re.ASCII),
    "PW": re.compile(r"[\x21-\x7e]{1,64}"),
    "MN": re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII),  # as a device id; the standard says 24 letters and digits
    "Flag": re.compile(r"[0-9]{1,3}", re.ASCII),
    "PNUM": re.compile(r"[0-9]{1,4}", re.ASCII),
    "PNO": re.compile(r"[0-9]{1,4}", re.ASCII),
}
_NEEDED = ("CN", "PW", "MN")
_ANSWER_BIT = 0b1


@dataclass(frozen=True, slots=True)
class Packet:
    """`part` of `parts` of a message; both 1 when it is whole."""

    mn: str
    cn: str
    qn: str = ""
    st: str = ""
    pw: str = field(default="", repr=False)
    flag: int | None = None
    parts: int = 1
    part: int = 1
    cp: str = ""

    @property
    def wants_answer(self) -> bool:
        return self.flag is not None and bool(self.flag & _ANSWER_BIT)


def read_packet(text: bytes) -> Packet | Damaged:
    """The fields of a frame's text, or what is wrong with them."""
    said = _decoded(text)
    head, opened, rest = said.partition(_OPEN)
    cp, closed, tail = rest.rpartition(_CLOSE)
    if not opened or not closed or tail.strip():
        return Damaged("FRAME_FIELDS", text, "CP=&&…&&")
    fields: dict[str, str] = {}
    for item in head.split(";"):
        name, equals, value = item.partition("=")
        if not item.strip():
            continue
        if not equals or name in fields:
            return Damaged("FRAME_FIELDS", text, item[:60])
        # Fields that the standard does not know are the maker's own affair; those it knows must have their form.
        if name in _PATTERNS and not _PATTERNS[name].fullmatch(value):
            return Damaged("FRAME_FIELDS", text, item[:60] if name != "PW" else "PW")
        fields[name] = value
    if missing := [name for name in _NEEDED if name not in fields]:
        return Damaged("FRAME_FIELDS", text, f"{', '.join(missing)} = ?")
    return _packet(fields, cp, text)


def _packet(fields: dict[str, str], cp: str, text: bytes) -> Packet | Damaged:
    flag = int(fields["Flag"]) if "Flag" in fields else None
    parts, part = int(fields.get("PNUM", "1")), int(fields.get("PNO", "1"))
    if parts == 0:
        parts = part = 1  # some write 0 of 0 for a whole message
    if not 1 <= part <= parts:
        return Damaged("FRAME_FIELDS", text, f"PNO={part}, PNUM={parts}")
    packet = Packet(
        mn=fields["MN"], cn=fields["CN"], qn=fields.get("QN", ""), st=fields.get("ST", ""), pw=fields["PW"],
        flag=flag, parts=parts, part=part, cp=cp,
    )  # fmt: skip
    if packet.wants_answer and not packet.qn:
        return Damaged("FRAME_FIELDS", text, "Flag & 1, QN = ?")
    return packet


def answer(packet: Packet) -> bytes:
    """The answer to data that has arrived (9014), with the number of its request."""
    version = (packet.flag or 0) & 0b11111100  # the standard's version; neither answer nor packet numbers wanted
    said = f"QN={packet.qn};ST={CONVERSATION};CN={ANSWER};PW={packet.pw};MN={packet.mn};Flag={version};CP=&&&&"
    return frame(said.encode())


def _decoded(text: bytes) -> str:
    """ASCII by the standard; what a maker adds is in practice UTF-8 or the national encoding."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("gb18030", "replace")
