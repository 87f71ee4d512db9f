"""May this person do this, to that, now: one decision for pages, API, exports, streams and the database. Pure.

actions.py      what can be done at all: declared, with what each asks for
roles.py        who may do it: declared roles with the actions they hold
people.py       Person, Reach (where and whose), Subject
decide.py       decide(person, action, subject, purpose, at, book=) -> Decision
masking.py      how a personal value is shown to who may not see it whole
small_cells.py  counts that leave the house
"""
