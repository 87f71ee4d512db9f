"""Signed amendments as packs take them up (city/packs_loaded). Readable by every process and post, in any space."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Max

from zhiwan.city.amendments.models import Amendment, State
from zhiwan.kernel.packs.local_changes import LocalChange


class SignedChanges:
    """What PostgreSQL knows of them."""

    def version(self) -> int:
        """The serial of the last one."""
        return Amendment.objects.aggregate(last=Max("serial"))["last"] or 0

    def signed(self) -> Sequence[LocalChange]:
        """All, in the order in which they were signed."""
        return [as_change(one) for one in Amendment.objects.filter(state=State.APPROVED).order_by("serial")]


def as_change(one: Amendment) -> LocalChange:
    """A signed amendment in the kernel's words."""
    if one.serial is None or one.decided_at is None:
        raise AssertionError("only what is signed changes anything")
    return LocalChange(one.serial, one.key[0], one.subject, one.region, one.base, one.after, one.decided_at)
