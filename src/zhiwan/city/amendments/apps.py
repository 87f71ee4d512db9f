from django.apps import AppConfig


class AmendmentsConfig(AppConfig):
    name = "zhiwan.city.amendments"
    label = "amendments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Packs are read below this app, so it says where their changes are kept."""
        from zhiwan.city.amendments.signed import SignedChanges
        from zhiwan.city.packs_loaded import keep_changes

        keep_changes(SignedChanges())
