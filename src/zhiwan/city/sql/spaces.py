"""Spaces as a second axis of row security: a row of one space does not exist for whoever acts in another.

Each table of facts carries `space`. Whoever acts (people/acting.py) names the space in the transaction's setting
`zhiwan.space`; a column that is not written takes it from there, and a *restrictive* policy, which PostgreSQL joins to
all others with AND, lets no other space be read or written. So a filter that is forgotten mixes nothing. Without the
setting there is no space: nothing is seen, and an insert is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import migrations, models
from django.db.models.functions import Coalesce, NullIf

SETTING = "zhiwan.space"
EVERY = "*"  # may be read in (devices only): the doors know the devices of all spaces
_HERE = f"space = current_setting('{SETTING}', true)"
_DEFAULT = f"COALESCE(NULLIF(current_setting('{SETTING}', true), ''), 'live')"
_ROLES = "zhiwan_district, zhiwan_area, zhiwan_line, zhiwan_scoped"


def acting_space() -> Any:
    """The database's default of a space column: where the transaction acts; live for the owner, whom nothing binds."""
    setting = models.Func(models.Value(SETTING), models.Value(True), function="current_setting")
    named = NullIf(setting, models.Value(""))
    return Coalesce(named, models.Value("live"), output_field=models.CharField())


def space_field() -> models.CharField[str, str]:
    """The column of a guarded table."""
    return models.CharField(max_length=16, db_default=acting_space())


def add_column(table: str) -> list[str]:
    """The column for a table that has rows already: those are live."""
    return [
        f"ALTER TABLE {table} ADD COLUMN space varchar(16) NOT NULL DEFAULT 'live'",
        f"ALTER TABLE {table} ALTER COLUMN space SET DEFAULT {_DEFAULT}",
    ]


def by_space(table: str, *, alone: bool = False) -> migrations.RunSQL:
    """The policy. `alone`: the table has no other row security, so all rows of the space are for everyone granted."""
    forwards, backwards = [], [f"DROP POLICY space ON {table}"]
    if alone:
        forwards += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"CREATE POLICY everyone ON {table} TO {_ROLES} USING (true) WITH CHECK (true)",
        ]
        backwards += [f"DROP POLICY everyone ON {table}", f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"]
    forwards += [f"CREATE POLICY space ON {table} AS RESTRICTIVE TO {_ROLES} USING ({_HERE}) WITH CHECK ({_HERE})"]
    return migrations.RunSQL(tuple(forwards), tuple(backwards))


def readable_everywhere(table: str) -> migrations.RunSQL:
    """As by_space, but rows of every space are read where the setting says EVERY (and written nowhere there)."""
    everywhere = f"{_HERE} OR current_setting('{SETTING}', true) = '{EVERY}'"
    forwards = (
        f"CREATE POLICY space_reads ON {table} AS RESTRICTIVE FOR SELECT TO {_ROLES} USING ({everywhere})",
        f"CREATE POLICY space_inserts ON {table} AS RESTRICTIVE FOR INSERT TO {_ROLES} WITH CHECK ({_HERE})",
        f"CREATE POLICY space_updates ON {table} AS RESTRICTIVE FOR UPDATE TO {_ROLES} USING ({_HERE})"
        f" WITH CHECK ({_HERE})",
        f"CREATE POLICY space_deletes ON {table} AS RESTRICTIVE FOR DELETE TO {_ROLES} USING ({_HERE})",
    )
    names = ("space_reads", "space_inserts", "space_updates", "space_deletes")
    return migrations.RunSQL(forwards, tuple(f"DROP POLICY {name} ON {table}" for name in names))


def new_key(table: str, columns: Iterable[str]) -> migrations.RunSQL:
    """A primary key that holds the space too. For Django the key stays as it is: it sees one space at a time."""
    return migrations.RunSQL(
        (
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey",
            f"ALTER TABLE {table} ADD PRIMARY KEY (space, {', '.join(columns)})",
        ),
        migrations.RunSQL.noop,
    )
