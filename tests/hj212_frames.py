"""HJ 212 frames for tests, made here; where the public frames of shared/data are at hand, those too."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from zhiwan.kernel.sense.decoders.hj212 import frame

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = Path(os.environ.get("ZHIWAN_MEASURED_DATA", ROOT.parent / "shared" / "data")) / "hj212" / "frames.txt"
MN = "010000A8900016F000169DC0"
#: The public frames: three damaged, four right.
PUBLIC_INTACT = [False, False, False, True, True, True, True]


def text(cp: str, *, cn: str = "2011", mn: str = MN, pw: str = "123456", flag: int = 4, more: str = "") -> bytes:
    """The text of a frame as a logger writes it."""
    return f"QN=20261124120000123;ST=22;CN={cn};PW={pw};MN={mn};Flag={flag};{more}CP=&&{cp}&&".encode()


def air(at: datetime, **values: object) -> str:
    """A data area: factors with their real-time value, all normal."""
    factors = ";".join(f"{code}-Rtd={value},{code}-Flag=N" for code, value in values.items())
    return f"DataTime={at:%Y%m%d%H%M%S};{factors}"


def damaged(text: bytes) -> bytes:
    """A frame with one digit changed on the way."""
    whole = frame(text)
    place = whole.rindex(b"=", 0, whole.rindex(b"&&")) + 1
    return whole[:place] + (b"7" if whole[place : place + 1] != b"7" else b"3") + whole[place + 1 :]
