"""/.well-known/security.txt (RFC 9116): to whom one tells a weakness of this installation."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from zhiwan.city.people.routes import declares

#: RFC 9116 asks for less than a year, so that a forgotten contact is noticed.
GOOD_FOR = timedelta(days=180)


@declares("way.pulse")
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Not there until ZHIWAN_SECURITY_CONTACT names a contact (mailto:…, https://… or tel:…)."""
    if not settings.ZHIWAN_SECURITY_CONTACT:
        raise Http404
    expires = (timezone.now() + GOOD_FOR).replace(minute=0, second=0, microsecond=0)
    lines = [
        *(f"Contact: {contact}" for contact in settings.ZHIWAN_SECURITY_CONTACT.split()),
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: zh, en",
        f"Canonical: {request.build_absolute_uri(request.path)}",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
