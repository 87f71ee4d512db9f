"""/api/v1 for integrators, /healthz and /metrics for machines (django-ninja, OpenAPI at /api/v1/openapi.json).

auth.py  bearer tokens act as their post · errors.py  one shape for every error · schemas.py  what goes out
reads.py  entities, history, indicators, alarms, warnings, cases · observations.py  the HTTP door · health.py
"""
