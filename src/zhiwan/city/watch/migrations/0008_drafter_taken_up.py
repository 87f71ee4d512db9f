"""Who drafted a warning (another person reviews it), and from when on the worker judged by which changed rules."""

from django.db import migrations, models

from zhiwan.city.sql.rights import open_table
from zhiwan.city.sql.spaces import add_column, by_space, space_field


class Migration(migrations.Migration):
    dependencies = [("watch", "0007_outside_warnings")]

    operations = [
        migrations.AddField("warning", "drafter", models.CharField(blank=True, db_default="", max_length=90)),
        migrations.CreateModel(
            name="TakenUp",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("serial", models.IntegerField()),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(tuple(add_column("watch_takenup")))],
            [migrations.AddField("takenup", "space", space_field())],
        ),
        open_table("watch_takenup"),
        by_space("watch_takenup", alone=True),
    ]
