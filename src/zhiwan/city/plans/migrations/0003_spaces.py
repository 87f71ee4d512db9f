"""The axis of spaces."""

from django.db import migrations

from zhiwan.city.sql.spaces import by_space, space_field


class Migration(migrations.Migration):
    dependencies = [("plans", "0002_rights"), ("registry", "0003_spaces")]

    operations = [
        migrations.AlterField("response", "space", space_field()),
        migrations.AlterField("task", "space", space_field()),
        by_space("plans_response"),
        by_space("plans_task"),
    ]
