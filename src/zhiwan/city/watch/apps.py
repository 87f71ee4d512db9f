from django.apps import AppConfig


class WatchConfig(AppConfig):
    name = "zhiwan.city.watch"
    label = "watch"
    default_auto_field = "django.db.models.BigAutoField"
