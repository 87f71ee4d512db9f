"""Everything that has an address: the API below /api/v1, two pages for machines, and the portal."""

from django.urls import include, path

urlpatterns = [
    path("", include("zhiwan.city.portal.urls")),
]
