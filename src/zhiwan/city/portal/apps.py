from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "zhiwan.city.portal"
    label = "portal"
