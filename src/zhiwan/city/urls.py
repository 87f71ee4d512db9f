"""Everything that has an address: the API below /api/v1, two pages for machines, and the portal."""

from django.urls import include, path

from zhiwan.city.api.certificate import ca_certificate
from zhiwan.city.api.health import healthz
from zhiwan.city.api.metrics import metrics
from zhiwan.city.api.routes import api
from zhiwan.city.api.security_txt import security_txt

urlpatterns = [
    path("api/v1/", api.urls),
    path("ca.crt", ca_certificate, name="ca_certificate"),
    path(".well-known/security.txt", security_txt, name="security_txt"),
    path("healthz", healthz),
    path("metrics", metrics),
    path("", include("zhiwan.city.portal.urls")),
]

#: What a person gets when a page fails (portal/views/trouble.py).
handler500 = "zhiwan.city.portal.views.trouble.failed"
