"""From a byte stream to frames: `##`, four digits of length, so many bytes, four hexadecimal digits of CRC, CR LF.

A frame's text holds neither `##` nor a line end, so these two delimit: after damage reading goes on at the next of
them, and a wrong length never swallows the frame behind it. The line end after a frame may be missing (other
implementations send LF, or nothing). Any split of the same bytes gives the same result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_START = b"##"
_DELIMITER = re.compile(rb"\r|\n|##")
_BETWEEN = b" \t\r\n\x00"  # line ends and padding between frames mean nothing
_HEADER, _CRC = 6, 4
#: Four digits cannot say more. The standard's own limit is 1024, which instruments in the field exceed.
MOST_TEXT = 9999
MOST_FRAME = _HEADER + MOST_TEXT + _CRC
MOST_NOISE = 4096


@dataclass(frozen=True, slots=True)
class Frame:
    """The text of an intact frame, between its length and its CRC."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes that are no frame, or a frame that says nothing we can use; `code` is one of sense.REASONS."""

    code: str
    raw: bytes
    detail: str


def crc16(text: bytes) -> int:
    """The checksum of HJ 212-2017 appendix A. Its register drops the low byte *before* the next is mixed in: it is
    not the CRC-16 of Modbus, although the polynomial is the same.
    """
    crc = 0xFFFF
    for byte in text:
        crc = (crc >> 8) ^ byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def frame(text: bytes) -> bytes:
    """A whole frame as it goes on the line."""
    return b"##%04d%s%04X\r\n" % (len(text), text, crc16(text))


class FrameReader:
    """One connection's bytes, in any portions. Keeps at most a frame and the portion it was fed."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._noise = bytearray()

    def feed(self, data: bytes) -> list[Frame | Damaged]:
        """What the bytes until now complete."""
        self._buffer += data
        return self._read(ended=False)

    def end(self) -> list[Frame | Damaged]:
        """What is left when no more bytes will come."""
        found = self._read(ended=True)
        self._flush_noise(found)
        return found

    def _read(self, *, ended: bool) -> list[Frame | Damaged]:
        found: list[Frame | Damaged] = []
        while self._step(found, ended):
            pass
        return found

    def _step(self, found: list[Frame | Damaged], ended: bool) -> bool:
        """Take the next thing off the buffer; False when more bytes are needed to tell what it is."""
        buffer = self._buffer
        start = buffer.find(_START)
        if start < 0:
            # A last `#` may be the first half of a start.
            self._drop(len(buffer) - (buffer.endswith(b"#") and not ended), found)
            return False
        self._drop(start, found)
        length = buffer[2:_HEADER]
        if length and not length.isdigit():
            self._drop(1, found)
            return True
        if len(length) < _HEADER - 2:
            if ended:
                self._drop(len(buffer), found)
            return False
        self._flush_noise(found)
        return self._step_frame(int(length), found, ended)

    def _step_frame(self, size: int, found: list[Frame | Damaged], ended: bool) -> bool:
        buffer = self._buffer
        whole = _HEADER + size + _CRC
        delimiter = _DELIMITER.search(buffer, _HEADER)
        stop = delimiter.start() if delimiter else None
        if stop is not None and stop < whole:
            self._damaged("FRAME_LENGTH", stop, f"{size} ≠ {max(stop - _HEADER - _CRC, 0)}", found)
            return True
        if len(buffer) < whole:
            if ended:
                self._damaged("FRAME_LENGTH", len(buffer), f"{len(buffer)} < {whole}", found)
            return ended
        text, given = bytes(buffer[_HEADER : whole - _CRC]), bytes(buffer[whole - _CRC : whole])
        computed = b"%04X" % crc16(text)
        if given.upper() == computed:
            del buffer[:whole]
            found.append(Frame(text))
            return True
        # Wrong. Whether the sum or the length is to blame shows where the frame really ends.
        if len(buffer) > MOST_FRAME or ended:
            stop = min(len(buffer) if stop is None else stop, MOST_FRAME)
        if stop is None:
            return False
        if stop == whole:
            detail = f"{given.decode('ascii', 'replace')} ≠ {computed.decode()}"
            self._damaged("FRAME_CRC", stop, detail, found)
        else:
            self._damaged("FRAME_LENGTH", stop, f"{size} ≠ {stop - _HEADER - _CRC}", found)
        return True

    def _damaged(self, code: str, size: int, detail: str, found: list[Frame | Damaged]) -> None:
        found.append(Damaged(code, bytes(self._buffer[:size]), detail))
        del self._buffer[:size]

    def _drop(self, size: int, found: list[Frame | Damaged]) -> None:
        """Bytes that belong to no frame are told of too, in pieces of a fixed size however they came."""
        self._noise += self._buffer[:size].translate(None, _BETWEEN)
        del self._buffer[:size]
        while len(self._noise) >= MOST_NOISE:
            rest = self._noise[MOST_NOISE:]
            del self._noise[MOST_NOISE:]
            self._flush_noise(found)
            self._noise = rest

    def _flush_noise(self, found: list[Frame | Damaged]) -> None:
        if self._noise:
            found.append(Damaged("FRAME_NOISE", bytes(self._noise), f"{len(self._noise)} B"))
            self._noise = bytearray()
