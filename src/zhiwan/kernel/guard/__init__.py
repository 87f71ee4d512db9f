"""May this person do this, to that, now: one decision for pages, API, exports, streams and the database; and the proof
of what was done. Pure: no input, no output, time is an argument.

actions.py      what can be done at all: declared, with what each asks for
roles.py        who may do it: declared roles with the actions they hold
people.py       Person, Reach (where and whose), Subject
decide.py       decide(person, action, subject, purpose, at, book=) -> Decision
purposes.py     what personal data is used for: the register that a read names
masking.py      how a personal value is shown to who may not see it whole
small_cells.py  counts that leave the house
chain.py, heads.py, check.py, findings.py   the audit: its chains, their signed heads, what a check finds
"""
