"""The three axes in the database: who acts (the role), *where* and *whose* (the settings that people/acting.py makes).

Rows carry `town`, `zones` (zones by id, village and grid by code), `line` (class@owner) and `own` (post:…, role:…,
body:…, account:…). Three narrow roles read them, each by the shortest test that says its reach, because a short test
can use an index where a general one cannot:

    zhiwan_area    town = ANY (towns)                                        most posts; measured in design §10
    zhiwan_line    line = ANY (lines) OR own && own                          a department, across the district
    zhiwan_scoped  (town = ANY (towns) OR zones && zones) AND line OR own    everything else

A setting is split once per statement: a scalar subquery is an initial plan, a bare function would run for every row.
Children (steps, events, latest values, links) follow their parent: who sees the parent sees them, so nothing of the
parent is kept twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

NEW_ROLES = ("zhiwan_line", "zhiwan_scoped")


def setting(name: str) -> str:
    """A list setting as an array. Bare, not in a subquery: so the planner estimates with the lists of this post."""
    return f"string_to_array(current_setting('zhiwan.{name}', true), ',')"


TOWNS, ZONES, LINES, OWN, NEAR = (setting(name) for name in ("towns", "zones", "lines", "own", "near"))
EVERY_LINE = f"'*' = ANY ({LINES})"


@dataclass(frozen=True)
class Axes:
    """Which of the columns a table has, beside `town`."""

    zones: bool = False
    line: bool = False
    own: bool = False
    #: Read by everyone of the district, or of the town it speaks to.
    common: bool = False
    #: Of what is common, what residents and firms may read.
    published: str = "true"

    def of_line(self) -> str:
        arms = [f"line = ANY ({LINES})"] if self.line else []
        arms += [f"own && {OWN}"] if self.own else []
        return " OR ".join(arms) or "false"

    def of_scope(self) -> str:
        where = [f"town = ANY ({TOWNS})", *([f"zones && {ZONES}"] if self.zones else [])]
        line = f"(line = ANY ({LINES}) OR {EVERY_LINE})" if self.line else EVERY_LINE
        inside = f"({' OR '.join(where)}) AND {line}"
        return f"({inside}) OR own && {OWN}" if self.own else inside


def scoped_table(table: str, axes: Axes) -> migrations.RunSQL:
    """Policies of the two new roles by the table's own columns. Rights come with share_rights()."""
    line, scope = axes.of_line(), axes.of_scope()
    read_line = "true" if axes.common else line
    around = f"(town = '' OR town = ANY ({TOWNS}) OR town = ANY ({NEAR}))"
    told = f"{around} AND ({axes.published} OR NOT 'public' = ANY ({NEAR}))"
    read_scope = told if axes.common else scope
    return _policies(table, {"line": (read_line, line), "scoped": (read_scope, scope)})


def child_table(table: str, parent: str, key: str, *, parent_key: str = "id", write: str = "") -> migrations.RunSQL:
    """Policies of a table whose rows are seen, and written, by who sees their parent. `write` narrows writing."""
    seen = f"EXISTS (SELECT FROM {parent} p WHERE p.{parent_key} = {table}.{key})"
    written = write or seen
    return _policies(table, {"line": (seen, written), "scoped": (seen, written)})


def _policies(table: str, tests: dict[str, tuple[str, str]]) -> migrations.RunSQL:
    forwards, backwards = [], []
    for role, (read, write) in tests.items():
        to = f"ON {table}"
        forwards += [
            f"CREATE POLICY {role}_reads {to} FOR SELECT TO zhiwan_{role} USING ({read})",
            f"CREATE POLICY {role}_inserts {to} FOR INSERT TO zhiwan_{role} WITH CHECK ({write})",
            f"CREATE POLICY {role}_updates {to} FOR UPDATE TO zhiwan_{role} USING ({write}) WITH CHECK ({write})",
        ]
        backwards += [f"DROP POLICY {role}_{what} {to}" for what in ("reads", "inserts", "updates")]
    return migrations.RunSQL(tuple(forwards), tuple(backwards))


_SHARE = """
DO $$
DECLARE found record;
BEGIN
  -- the rights of the giver, by table, column, sequence and function, go to roles that see other rows with equal rights
  FOR found IN
    SELECT c.relname AS name, a.privilege_type AS what, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind
      FROM pg_class c, aclexplode(c.relacl) a WHERE {tables} AND a.grantee = '{giver}'::regrole
    UNION ALL
    SELECT c.relname, format('%s (%I)', a.privilege_type, t.attname), 'TABLE'
      FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
     WHERE {tables} AND a.grantee = '{giver}'::regrole
  LOOP
    EXECUTE format('GRANT %s ON %s %I TO {takers}', found.what, found.kind, found.name);
  END LOOP;
  FOR found IN
    SELECT f.oid::regprocedure::text AS name FROM pg_proc f, aclexplode(f.proacl) a
     WHERE {functions} AND a.grantee = '{giver}'::regrole
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO {takers}', found.name);
  END LOOP;
  FOR found IN
    SELECT c.relname, p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
     WHERE {tables} AND (p.polname LIKE 'space%' OR p.polname = 'everyone')
  LOOP
    EXECUTE format('ALTER POLICY %I ON %I TO zhiwan_district, zhiwan_area, zhiwan_line, zhiwan_scoped',
                   found.polname, found.relname);
  END LOOP;
END $$
"""


def share_rights(
    prefixes: Sequence[str], *, takers: Sequence[str] = NEW_ROLES, giver: str = "zhiwan_area"
) -> migrations.RunSQL:
    """Give the rights that `giver` has on what begins with these names to `takers` too."""
    here = "'public'::regnamespace"

    def named(column: str) -> str:
        return "(" + " OR ".join(f"starts_with({column}, '{prefix}')" for prefix in prefixes) + ")"

    tables = f"c.relkind IN ('r', 'p', 'S') AND c.relnamespace = {here} AND {named('c.relname')}"
    functions = f"f.pronamespace = {here} AND {named('f.proname')}"
    body = _SHARE.format(tables=tables, functions=functions, giver=giver, takers=", ".join(takers))
    return migrations.RunSQL(body, migrations.RunSQL.noop)


def may_look(tables: Sequence[str], privilege: str = "SELECT") -> migrations.RunSQL:
    """The administrators may ask these tables; where rows are guarded, they get none."""
    names = ", ".join(tables)
    return migrations.RunSQL(
        f"GRANT {privilege} ON {names} TO zhiwan_accounts", f"REVOKE ALL ON {names} FROM zhiwan_accounts"
    )


def texts_field() -> ArrayField[list[str], list[str]]:
    """A column of tokens: zones, own."""
    return ArrayField(models.TextField(), default=list, db_default=[], blank=True)


def line_field() -> models.CharField[str, str]:
    """`class@owner`: whose line of duty it is; empty: nobody's, so only the whole district sees it."""
    return models.CharField(max_length=140, blank=True, default="", db_default="")
