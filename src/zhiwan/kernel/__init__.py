"""The pure kernel: facts, packs, judge, sense, bus, lake, proof.

No Django, no request, no clock of its own: time is always an argument. Imports only go down (pyproject.toml,
[tool.importlinter]); what a stream worker, a replay and a notebook share lives here and nowhere else.
"""
