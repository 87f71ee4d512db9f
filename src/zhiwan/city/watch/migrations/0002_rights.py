"""The worker writes as the district; towns read theirs, acknowledge, fix refused values and confirm warnings."""

from django.db import migrations

from zhiwan.city.sql.rights import guarded_table, open_table, run_all


class Migration(migrations.Migration):
    dependencies = [("watch", "0001_tables"), ("registry", "0002_rights")]

    operations = [
        guarded_table("watch_latestvalue"),
        guarded_table("watch_alarm", area="SELECT, UPDATE (acknowledged_by_id, acknowledged_at, score)"),
        guarded_table("watch_alarmevent", area="SELECT, INSERT"),
        guarded_table("watch_setaside", area="SELECT, UPDATE (state, fixed, fixed_by_id, fixed_at, note)"),
        guarded_table("watch_warning", area="SELECT, INSERT, UPDATE", shared=True),
        guarded_table("watch_warningstep", area="SELECT, INSERT", shared=True),
        guarded_table("watch_warningreceipt", area="SELECT, UPDATE (received_at, received_by)", shared=True),
        open_table("watch_releaserequest", area="SELECT, INSERT"),
        open_table("watch_judgestate", area=None),
        open_table("watch_streamcursor"),
        open_table("watch_doorcounter"),
        open_table("watch_indicatornow"),
        open_table("watch_rulescore", area="SELECT, INSERT, UPDATE"),
        # Rows that change every minute find room on their page, so that no index is touched (HOT).
        run_all(["ALTER TABLE watch_latestvalue SET (fillfactor = 70)", "ALTER TABLE watch_judgestate SET (fillfactor = 70)"]),
    ]
