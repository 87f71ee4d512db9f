"""Rights on the tables of the ways in; API tokens become service accounts with one key each.

Codes, secrets, locks, phones and grants are closed to a town's posts: the ways in write them as a process. Before any
post is known a request has to find its session, its posts and, for the API, its key.
"""

from django.db import migrations

from zhiwan.city.sql.rights import open_table

#: Of the API as it was: an old token could use all of it.
_ALL = "ARRAY['alarm.read', 'case.read', 'entity.read', 'indicator.read', 'observation.send', 'warning.read']"
TOKENS_BECOME_KEYS = (
    f"""
    INSERT INTO people_serviceaccount (title, post_id, scopes, created_at, ended_at)
    SELECT title || ' #' || id, post_id, {_ALL}, created_at, revoked_at FROM people_apitoken
    """,
    """
    INSERT INTO people_servicekey (account_id, key_hash, begins, created_at, expires_at, ended_at)
    SELECT a.id, t.token_hash, 'zw_', t.created_at, greatest(t.created_at, now()) + interval '366 days', t.revoked_at
    FROM people_apitoken t JOIN people_serviceaccount a ON a.title = t.title || ' #' || t.id
    """,
)


class Migration(migrations.Migration):
    dependencies = [("people", "0006_ways_in")]

    operations = [
        migrations.RunSQL(TOKENS_BECOME_KEYS, migrations.RunSQL.noop),
        migrations.DeleteModel("ApiToken"),
        *(
            open_table(f"people_{name}", area=None)
            for name in ("credential", "recoverycode", "lock", "ratewindow", "phonenumber", "phonecode", "proxy")
        ),
        open_table("people_firm", area="SELECT (code, post_id)"),
        open_table("people_firmstaff", area="SELECT (id, firm_id, user_id, valid_to, ended_at)"),
        open_table("people_session", area="SELECT, INSERT, UPDATE, DELETE"),
        open_table("people_serviceaccount"),
        open_table("people_servicekey", area="SELECT, UPDATE (last_used_at, last_address)"),
    ]
