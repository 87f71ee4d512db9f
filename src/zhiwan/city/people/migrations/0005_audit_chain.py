"""The audit becomes chains: partitioned by month, appended to by one function, each record linked to the one before.

What was recorded until now is put into the chains in its order; from then on, and not before, a change of it is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from django.db import migrations, models

from zhiwan.city.sql.rights import open_table, run_all
from zhiwan.kernel.guard.chain import ZERO, Entry, link, plain, plain_address, to_row

TABLE = [
    # Out of the way of the new table; its trigger refuses only changes of rows.
    "ALTER TABLE people_auditrecord RENAME TO people_auditrecord_before",
    "ALTER INDEX people_auditrecord_pkey RENAME TO people_auditrecord_before_pkey",
    """
    CREATE TABLE people_auditrecord (
        chain varchar(80) NOT NULL,
        seq bigint NOT NULL,
        recorded_at timestamptz NOT NULL,
        form smallint NOT NULL,
        previous bytea NOT NULL,
        hash bytea NOT NULL,
        at timestamptz NOT NULL,
        user_id bigint,
        account varchar(150) NOT NULL,
        actor varchar(80) NOT NULL,
        post varchar(64),
        organisation varchar(64),
        action varchar(64) NOT NULL,
        subject varchar(160) NOT NULL,
        before jsonb,
        after jsonb,
        purpose varchar(200) NOT NULL,
        address varchar(45),
        space varchar(16) NOT NULL,
        PRIMARY KEY (chain, seq, recorded_at)
    ) PARTITION BY RANGE (recorded_at)
    """,
    # One index for each filter of the search page; each ends with the time, by which the page is sorted.
    "CREATE INDEX people_audit_time ON people_auditrecord (recorded_at, chain, seq)",
    "CREATE INDEX people_audit_account ON people_auditrecord (account, recorded_at)",
    "CREATE INDEX people_audit_post ON people_auditrecord (post, recorded_at)",
    "CREATE INDEX people_audit_action ON people_auditrecord (action, recorded_at)",
    "CREATE INDEX people_audit_subject ON people_auditrecord (subject varchar_pattern_ops, recorded_at)",
    "CREATE INDEX people_audit_space ON people_auditrecord (space, recorded_at) WHERE space <> 'live'",
    # Row triggers of a partitioned table are given to each of its partitions; those for TRUNCATE are not.
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON people_auditrecord
    FOR EACH ROW EXECUTE FUNCTION people_audit_is_append_only()
    """,
    """
    CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON people_auditrecord
    FOR EACH STATEMENT EXECUTE FUNCTION people_audit_is_append_only()
    """,
    "GRANT SELECT ON people_auditrecord TO zhiwan_district",
]

MONTHS = [
    # people_audit_make_rest: the partition that takes what no month is there for. Nothing is refused for want of one.
    """
    CREATE FUNCTION people_audit_make_rest() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        CREATE TABLE people_auditrecord_rest PARTITION OF people_auditrecord DEFAULT;
        CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON people_auditrecord_rest
            FOR EACH STATEMENT EXECUTE FUNCTION people_audit_is_append_only();
    END $$
    """,
    "SELECT people_audit_make_rest()",
    # people_audit_make_month: the partition of the (UTC) month that `day` lies in; false where it is there already.
    # Rows of that month that the default partition took meanwhile are moved into it. The lock on the parent holds up
    # every writer: it is waited for shortly, and asked for again by the next run of the job.
    """
    CREATE FUNCTION people_audit_make_month(day date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '3s' SET timezone = 'UTC'
    AS $$
    DECLARE
        first timestamptz := date_trunc('month', day::timestamptz);
        next timestamptz := date_trunc('month', day::timestamptz) + interval '1 month';
        name text := 'people_auditrecord_' || to_char(day, 'YYYY_MM');
        moved boolean;
    BEGIN
        IF to_regclass(name) IS NOT NULL THEN
            RETURN false;
        END IF;
        moved := EXISTS (SELECT FROM people_auditrecord_rest WHERE recorded_at >= first AND recorded_at < next);
        IF moved THEN
            ALTER TABLE people_auditrecord DETACH PARTITION people_auditrecord_rest;
            ALTER TABLE people_auditrecord_rest RENAME TO people_auditrecord_moving;
            PERFORM people_audit_make_rest();
        END IF;
        EXECUTE format('CREATE TABLE %I PARTITION OF people_auditrecord FOR VALUES FROM (%L) TO (%L)',
                       name, first, next);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT'
                       ' EXECUTE FUNCTION people_audit_is_append_only()', name);
        IF moved THEN
            INSERT INTO people_auditrecord SELECT * FROM people_auditrecord_moving;
            DROP TABLE people_auditrecord_moving;
        END IF;
        RETURN true;
    END $$
    """,
    # people_audit_drop_month: lets a month go, only when it is old enough, the oldest there is, and sealed in this
    # very transaction by a record of the audit. Six months are the law's least, whatever the caller says.
    """
    CREATE FUNCTION people_audit_drop_month(day date, months_kept integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '3s' SET timezone = 'UTC'
    AS $$
    DECLARE
        first timestamptz := date_trunc('month', day::timestamptz);
        next timestamptz := date_trunc('month', day::timestamptz) + interval '1 month';
        name text := 'people_auditrecord_' || to_char(day, 'YYYY_MM');
    BEGIN
        IF next + make_interval(months => GREATEST(months_kept, 6)) > now() THEN
            RAISE EXCEPTION 'the audit of % is not old enough to be let go', to_char(day, 'YYYY-MM')
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF EXISTS (SELECT FROM people_auditrecord WHERE recorded_at < first) THEN
            RAISE EXCEPTION 'there are older months of the audit than %', to_char(day, 'YYYY-MM')
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF NOT EXISTS (SELECT FROM people_auditrecord WHERE recorded_at >= now() AND action = 'audit.retire'
                       AND subject = 'audit-month:' || to_char(day, 'YYYY-MM')) THEN
            RAISE EXCEPTION 'the audit of % is not sealed', to_char(day, 'YYYY-MM')
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE format('DROP TABLE %I', name);
    END $$
    """,
]

WRITING = [
    # people_audit_lock: the heads of these chains, locked in the order of their names until the transaction ends.
    """
    CREATE FUNCTION people_audit_lock(chains text[])
    RETURNS TABLE (chain varchar, seq bigint, hash bytea, now timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        -- New chains before any lock: one who holds a lock and waits for another's new row would be a deadlock.
        IF (SELECT count(*) FROM people_auditchain c WHERE c.chain = ANY (chains)) < cardinality(chains) THEN
            INSERT INTO people_auditchain (chain, seq, hash, recorded_at)
                SELECT one, 0, decode(repeat('00', 32), 'hex'), clock_timestamp()
                FROM unnest(chains) AS one ORDER BY one
                ON CONFLICT DO NOTHING;
        END IF;
        PERFORM FROM people_auditchain c WHERE c.chain = ANY (chains) ORDER BY c.chain FOR UPDATE;
        -- A statement of its own, so that the time is one after the lock.
        RETURN QUERY SELECT c.chain, c.seq, c.hash, clock_timestamp()
            FROM people_auditchain c WHERE c.chain = ANY (chains);
    END $$
    """,
    # people_audit_append: the only way into the table. What does not follow its chain's head, or claims another time
    # than now, is refused; the hash itself is Python's (PostgreSQL has no SM3) and is looked at by every check.
    """
    CREATE FUNCTION people_audit_append(records jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        one people_auditrecord;
        head people_auditchain;
    BEGIN
        FOR one IN
            SELECT r.chain, r.seq, r.recorded_at, r.form, decode(r.previous, 'hex'), decode(r.hash, 'hex'), r.at,
                   r."user", r.account, r.actor, r.post, r.organisation, r.action, r.subject, r.before, r.after,
                   r.purpose, r.address, r.space
            FROM jsonb_to_recordset(records) AS r (
                chain varchar, seq bigint, recorded_at timestamptz, form smallint, previous text, hash text,
                at timestamptz, "user" bigint, account varchar, actor varchar, post varchar, organisation varchar,
                action varchar, subject varchar, before jsonb, after jsonb, purpose varchar, address varchar, space varchar)
        LOOP
            SELECT * INTO head FROM people_auditchain c WHERE c.chain = one.chain FOR UPDATE;
            IF head.seq IS NULL OR one.seq <> head.seq + 1 OR one.previous <> head.hash OR length(one.hash) <> 32 THEN
                RAISE EXCEPTION 'audit record % of % does not follow its head', one.seq, one.chain
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            IF one.recorded_at NOT BETWEEN now() - interval '1 minute' AND clock_timestamp() + interval '1 minute' THEN
                RAISE EXCEPTION 'audit record % of % claims the time %', one.seq, one.chain, one.recorded_at
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            INSERT INTO people_auditrecord SELECT one.*;
            UPDATE people_auditchain SET seq = one.seq, hash = one.hash, recorded_at = one.recorded_at
                WHERE chain = one.chain;
        END LOOP;
    END $$
    """,
]
RIGHTS = [
    "REVOKE ALL ON FUNCTION people_audit_make_rest(), people_audit_make_month(date), people_audit_lock(text[]),"
    " people_audit_drop_month(date, integer), people_audit_append(jsonb) FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION people_audit_lock(text[]), people_audit_append(jsonb) TO zhiwan_area, zhiwan_district",
    "GRANT EXECUTE ON FUNCTION people_audit_make_month(date), people_audit_drop_month(date, integer)"
    " TO zhiwan_district",
    # Rows of heads are updated in place, hundreds of times for each that is ever added.
    "ALTER TABLE people_auditchain SET (fillfactor = 50)",
]
BATCH = 2000
COLUMNS = ("id", "at", "user_id", "post_id", "actor", "action", "subject", "before", "after", "address", "space")


def chain_what_is_there(apps: Any, schema_editor: Any) -> None:
    """Every record so far, in its order, into the chain of the organisation or process that acted."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, organisation_id FROM people_post")
        bodies = dict(cursor.fetchall())
        cursor.execute("SELECT id, username FROM people_user")
        names = dict(cursor.fetchall())
        cursor.execute("SELECT date_trunc('month', min(at)), clock_timestamp() FROM people_auditrecord_before"
                       " WHERE space = 'live'")
        first, now = cursor.fetchone()
        for day in _months(first or now, now):
            cursor.execute("SELECT people_audit_make_month(%s)", [day])
        heads: dict[str, tuple[int, bytes]] = {}
        latest: dict[str, datetime] = {}
        last = count = 0
        while True:
            cursor.execute(
                f"SELECT {', '.join(COLUMNS)} FROM people_auditrecord_before WHERE id > %s ORDER BY id LIMIT %s",
                [last, BATCH],
            )
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
            if not rows:
                break
            made = []
            for row in rows:
                entry = _entry(row, bodies, names)
                seq, previous = heads.get(entry["chain"], (0, ZERO))
                # When it was recorded is not known exactly: what was done live was recorded when it was done.
                at = row["at"] if row["space"] == "live" else now
                at = latest[entry["chain"]] = min(now, max(at, latest.get(entry["chain"], at)))
                one = link(previous, Entry(**entry, seq=seq + 1, recorded_at=at))
                heads[entry["chain"]] = (seq + 1, one.hash)
                made.append(to_row(one))
            _insert(cursor, made)
            last, count = rows[-1]["id"], count + len(rows)
        for chain, (seq, hash) in heads.items():
            cursor.execute("INSERT INTO people_auditchain (chain, seq, hash, recorded_at) VALUES (%s, %s, %s, %s)",
                           [chain, seq, hash, latest[chain]])
        if count:
            _say_since_when(cursor, count)
        cursor.execute("DROP TABLE people_auditrecord_before")


def _entry(row: dict[str, Any], bodies: dict[str, str], names: dict[int, str]) -> dict[str, Any]:
    post, actor = row["post_id"], row["actor"]
    if post is not None:
        chain = f"org:{bodies.get(post, post)}"
    else:
        chain = actor if actor.startswith("system:") else "accounts"
    return {
        "chain": chain, "at": row["at"], "user": row["user_id"], "account": names.get(row["user_id"], actor),
        "actor": actor, "post": post, "organisation": bodies.get(post) if post else None, "action": row["action"],
        "subject": row["subject"], "before": plain(_value(row["before"])), "after": plain(_value(row["after"])),
        "purpose": "", "address": plain_address(str(row["address"])) if row["address"] else None,
        "space": row["space"],
    }  # fmt: skip


def _value(found: Any) -> Any:
    """jsonb comes as text on Django's connections, as a value on others."""
    return json.loads(found) if isinstance(found, str) else found


def _insert(cursor: Any, rows: list[dict[str, Any]]) -> None:
    cursor.execute(
        """
        INSERT INTO people_auditrecord
        SELECT r.chain, r.seq, r.recorded_at, r.form, decode(r.previous, 'hex'), decode(r.hash, 'hex'), r.at,
               r."user", r.account, r.actor, r.post, r.organisation, r.action, r.subject, r.before, r.after,
               r.purpose, r.address, r.space
        FROM jsonb_to_recordset(%s::jsonb) AS r (
            chain varchar, seq bigint, recorded_at timestamptz, form smallint, previous text, hash text,
            at timestamptz, "user" bigint, account varchar, actor varchar, post varchar, organisation varchar,
            action varchar, subject varchar, before jsonb, after jsonb, purpose varchar, address varchar, space varchar)
        """,
        [json.dumps(rows, ensure_ascii=False)],
    )


def _say_since_when(cursor: Any, count: int) -> None:
    """A record of its own: what comes before it was chained afterwards."""
    cursor.execute("SELECT seq, hash, now FROM people_audit_lock(ARRAY['system:cli'])")
    seq, previous, now = cursor.fetchone()
    one = link(bytes(previous), Entry(
        chain="system:cli", seq=seq + 1, recorded_at=now, at=now, user=None, account="system:cli", actor="system:cli",
        post=None, organisation=None, action="audit.begin_chains", subject="audit:records", before=None,
        after={"chained_afterwards": count}, purpose="", address=None, space="live",
    ))  # fmt: skip
    cursor.execute("SELECT people_audit_append(%s::jsonb)", [json.dumps([to_row(one)])])


def _months(first: datetime, last: datetime) -> Iterator[date]:
    year, month = first.astimezone(UTC).year, first.astimezone(UTC).month
    last = last.astimezone(UTC)
    while (year, month) <= (last.year, last.month):
        yield date(year, month, 1)
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


class Migration(migrations.Migration):
    dependencies = [("people", "0004_links_for_phones")]

    operations = [
        migrations.CreateModel(
            name="AuditChain",
            fields=[
                ("chain", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
                ("recorded_at", models.DateTimeField()),
                ("signed_seq", models.BigIntegerField(db_default=0, default=0)),
            ],
        ),
        migrations.CreateModel(
            name="AuditSigning",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(null=True)),
                ("line", models.BigIntegerField(default=0)),
                ("key", models.CharField(blank=True, max_length=64)),
                ("problem", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="AuditRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(choices=[("verify", "verify"), ("retire", "retire")], max_length=8)),
                ("state", models.CharField(default="waiting", max_length=8)),
                ("asked_at", models.DateTimeField(db_index=True)),
                ("asked_by", models.CharField(max_length=80)),
                ("order", models.JSONField(default=dict)),
                ("told_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("records", models.BigIntegerField(default=0)),
                ("total", models.BigIntegerField(default=0)),
                ("report", models.JSONField(null=True)),
                ("problem", models.JSONField(null=True)),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("AuditRecord"),
                migrations.CreateModel(
                    name="AuditRecord",
                    fields=[
                        ("pk", models.CompositePrimaryKey("chain", "seq", blank=True, editable=False,
                                                          primary_key=True, serialize=False)),
                        ("chain", models.CharField(max_length=80)),
                        ("seq", models.BigIntegerField()),
                        ("recorded_at", models.DateTimeField()),
                        ("form", models.SmallIntegerField()),
                        ("previous", models.BinaryField(max_length=32)),
                        ("hash", models.BinaryField(max_length=32)),
                        ("at", models.DateTimeField()),
                        ("user_id", models.BigIntegerField(null=True)),
                        ("account", models.CharField(max_length=150)),
                        ("actor", models.CharField(max_length=80)),
                        ("post", models.CharField(max_length=64, null=True)),
                        ("organisation", models.CharField(max_length=64, null=True)),
                        ("action", models.CharField(max_length=64)),
                        ("subject", models.CharField(max_length=160)),
                        ("before", models.JSONField(null=True)),
                        ("after", models.JSONField(null=True)),
                        ("purpose", models.CharField(max_length=200)),
                        ("address", models.CharField(max_length=45, null=True)),
                        ("space", models.CharField(max_length=16)),
                    ],
                    options={"managed": False, "db_table": "people_auditrecord"},
                ),
            ],
        ),
        run_all([*TABLE, *MONTHS, *WRITING, *RIGHTS]),
        open_table("people_auditchain", district="SELECT, UPDATE (signed_seq)", area=None),
        open_table("people_auditsigning", district="SELECT, INSERT, UPDATE", area=None),
        open_table("people_auditrun", district="SELECT, INSERT, UPDATE, DELETE", area=None),
        run_all(["GRANT USAGE ON SEQUENCE people_auditrun_id_seq TO zhiwan_district"]),
        migrations.RunPython(chain_what_is_there, migrations.RunPython.noop),
    ]
