"""/ca.crt: the certificate of this installation's own authority, for a phone to install once (`up --lan`)."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from zhiwan.city.people.routes import declares


@declares("way.pulse")
@require_safe
def ca_certificate(request: HttpRequest) -> HttpResponse:
    """Public: it proves who we are and opens nothing. Its fingerprint stands in the terminal to compare."""
    if not settings.ZHIWAN_CA_FILE:
        raise Http404
    body = Path(settings.ZHIWAN_CA_FILE).read_bytes()
    headers = {"Content-Disposition": 'attachment; filename="zhiwan-ca.crt"'}
    return HttpResponse(body, content_type="application/x-x509-ca-cert", headers=headers)
