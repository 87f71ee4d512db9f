"""What is forgotten, and when. Alarms, cases, warnings and the audit are kept; the lake has its own retention."""

from __future__ import annotations

from datetime import datetime, timedelta

from zhiwan.city.people.models import SignInLink
from zhiwan.city.people.ways_in.models import Lock, PhoneCode, RateWindow, Session
from zhiwan.city.registry.models import ConnectionRefusal
from zhiwan.city.watch.models import DoorCounter, SetAside

SETTLED = timedelta(days=180)  # a refused value after it was fixed or dropped
UNSETTLED = timedelta(days=365)  # one that nobody looked at
COUNTERS = timedelta(days=400)


def forget_old_rows(*, now: datetime) -> dict[str, int]:
    """Delete rows past their time; how many of each."""
    gone = {
        "set_aside": SetAside.objects.exclude(state="open").filter(fixed_at__lt=now - SETTLED).delete()[0],
        "set_aside_open": SetAside.objects.filter(state="open", received_at__lt=now - UNSETTLED).delete()[0],
        "counters": DoorCounter.objects.filter(hour__lt=now - COUNTERS).delete()[0],
        "refusals": ConnectionRefusal.objects.filter(hour__lt=now - COUNTERS).delete()[0],
        "sessions": Session.objects.filter(expire_date__lt=now).delete()[0],
        "phone_codes": PhoneCode.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0],
        "rates": RateWindow.objects.filter(ends_at__lt=now).delete()[0],
        "locks": Lock.objects.filter(last_at__lt=now - timedelta(days=7)).delete()[0],
        "links": SignInLink.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0],
    }
    return gone
