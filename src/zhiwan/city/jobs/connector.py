"""The queue's own connection of the `jobs` process.

procrastinate builds it from Django's settings, whose sessions begin as zhiwan_area (they may put jobs in, nothing
else). Fetching and finishing jobs is the district's: the same login, another role from its first statement.
"""

from __future__ import annotations

from procrastinate.contrib.django.utils import connector_params
from procrastinate.psycopg_connector import PsycopgConnector


def worker_connector() -> PsycopgConnector:
    """A connector for a worker of the queue."""
    params = connector_params()
    params["options"] = str(params.get("options", "")).replace("role=zhiwan_area", "role=zhiwan_district")
    return PsycopgConnector(kwargs=params)
