"""The axis of spaces: nothing of a story enters live figures, scores or counts."""

from django.db import migrations, models

from zhiwan.city.sql.spaces import add_column, by_space, new_key, space_field


def space_column(table: str) -> migrations.SeparateDatabaseAndState:
    """The column, with the rows that are there in the live space."""
    state = migrations.AddField(table, "space", space_field())
    return migrations.SeparateDatabaseAndState([migrations.RunSQL(tuple(add_column(f"watch_{table}")))], [state])


class Migration(migrations.Migration):
    dependencies = [("watch", "0005_indicator_without_reading"), ("registry", "0003_spaces")]

    operations = [
        space_column("latestvalue"),
        space_column("alarmevent"),
        space_column("judgestate"),
        space_column("releaserequest"),
        space_column("streamcursor"),
        space_column("setaside"),
        space_column("doorcounter"),
        space_column("indicatornow"),
        space_column("warningstep"),
        space_column("warningreceipt"),
        space_column("rulescore"),
        migrations.AlterField("alarm", "space", space_field()),
        migrations.AlterField("warning", "space", space_field()),
        new_key("watch_judgestate", ["kind", "key"]),
        new_key("watch_indicatornow", ["indicator", "area"]),
        new_key("watch_rulescore", ["rule", "rule_version"]),
        migrations.RemoveConstraint("streamcursor", "watch_cursor_once"),
        migrations.AddConstraint("streamcursor", models.UniqueConstraint(fields=["space", "stream", "sink"], name="watch_cursor_once")),
        migrations.RemoveConstraint("doorcounter", "watch_counter_once"),
        migrations.AddConstraint("doorcounter", models.UniqueConstraint(fields=["space", "hour", "door", "code"], name="watch_counter_once")),
        by_space("watch_latestvalue"),
        by_space("watch_alarm"),
        by_space("watch_alarmevent"),
        by_space("watch_setaside"),
        by_space("watch_warning"),
        by_space("watch_warningstep"),
        by_space("watch_warningreceipt"),
        by_space("watch_releaserequest", alone=True),
        by_space("watch_judgestate", alone=True),
        by_space("watch_streamcursor", alone=True),
        by_space("watch_doorcounter", alone=True),
        by_space("watch_indicatornow", alone=True),
        by_space("watch_rulescore", alone=True),
    ]
