"""A town sees the district's responses and works its own tasks."""

from django.db import migrations

from zhiwan.city.sql.rights import guarded_table


class Migration(migrations.Migration):
    dependencies = [("plans", "0001_tables"), ("watch", "0002_rights")]

    operations = [
        guarded_table("plans_response", shared=True),
        guarded_table(
            "plans_task", area="SELECT, UPDATE (receipted_at, receipted_by, done_at, done_by, note)"
        ),
    ]
