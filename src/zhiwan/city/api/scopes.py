"""What a service account may be given: one scope for each thing that operations of the API do.

An operation is found by the name of its function; one that is not listed here is refused to everybody, and a test
fails until it is.
"""

from __future__ import annotations

#: operation → scope
OF_OPERATION = {
    "observations": "observation.send",
    "entities": "entity.read",
    "entity": "entity.read",
    "history": "entity.read",
    "indicators": "indicator.read",
    "alarms": "alarm.read",
    "alarm": "alarm.read",
    "warnings": "warning.read",
    "cases": "case.read",
}
SCOPES = tuple(sorted(set(OF_OPERATION.values())))
