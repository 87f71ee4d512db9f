"""Lines on responses and tasks (of the plan's pack), and tasks as the own of their post."""

from django.db import migrations

from zhiwan.city.sql.rights import run_all
from zhiwan.city.sql.scopes import Axes, may_look, scoped_table, share_rights

LINE = (
    "ALTER TABLE plans_response ADD COLUMN line varchar(140) GENERATED ALWAYS AS"
    " (regexp_replace(plan, '\\.[^.]*$', '') || '@') STORED"
)
#: A task nobody holds yet belongs to its role.
OWN = (
    "ALTER TABLE plans_task ADD COLUMN own text[] GENERATED ALWAYS AS"
    " (ARRAY[CASE WHEN post_id IS NULL THEN 'role:' || role ELSE 'post:' || post_id END]) STORED"
)
TASK_LINE = [
    "ALTER TABLE plans_task ADD COLUMN line varchar(140) NOT NULL DEFAULT ''",
    """
    CREATE FUNCTION plans_task_line() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.line := coalesce((SELECT r.line FROM plans_response r WHERE r.id = NEW.response_id), '');
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER line BEFORE INSERT ON plans_task FOR EACH ROW EXECUTE FUNCTION plans_task_line()",
    "UPDATE plans_task t SET line = r.line FROM plans_response r WHERE r.id = t.response_id",
]


class Migration(migrations.Migration):
    dependencies = [("plans", "0003_spaces"), ("watch", "0010_scopes")]

    operations = [
        run_all([LINE, OWN, *TASK_LINE]),
        share_rights(["plans_"]),
        scoped_table("plans_response", Axes(line=True, common=True)),
        scoped_table("plans_task", Axes(line=True, own=True)),
        may_look(["plans_response", "plans_task"]),
    ]
