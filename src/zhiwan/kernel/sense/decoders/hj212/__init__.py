"""HJ 212-2017, the wire protocol of pollution-source monitors: bytes of a connection become readings.

- frames.py: a byte stream → frames `##LLLL…CRC`, however the network cut it.
- packet.py: one frame → its fields; the answer 9014.
- content.py: the data area → a time and factors with their flags; messages of several packets joined.

All of it is pure, takes any bytes and never raises: what is damaged comes back as a `Damaged` with its reason.
"""

from zhiwan.kernel.sense.decoders.hj212.content import Content, Parts, Ready, Target, read_content, read_factors
from zhiwan.kernel.sense.decoders.hj212.frames import Damaged, Frame, FrameReader, crc16, frame
from zhiwan.kernel.sense.decoders.hj212.packet import DATA, Packet, answer, read_packet

__all__ = [
    "DATA",
    "Content",
    "Damaged",
    "Frame",
    "FrameReader",
    "Packet",
    "Parts",
    "Ready",
    "Target",
    "answer",
    "crc16",
    "frame",
    "read_content",
    "read_factors",
    "read_packet",
]
