"""Personal data leaves the platform only with two persons: one asks, for a purpose and a reason, another lets it go.

models.py    the requests; none holds a value
actions.py   ask, decide, withdraw, fetch (once, by who asked)
queries.py   what the page shows
"""
