"""What intake remembers is kept in blocks of columns; packed bytes are not packed again by the database."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("watch", "0008_drafter_taken_up")]

    operations = [
        migrations.RunSQL(
            [
                "DELETE FROM watch_judgestate WHERE kind = 'intake:reading'",
                "ALTER TABLE watch_judgestate ALTER COLUMN body SET STORAGE EXTERNAL",
            ],
            ["ALTER TABLE watch_judgestate ALTER COLUMN body SET STORAGE EXTENDED"],
        )
    ]
