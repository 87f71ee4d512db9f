"""`zhiwan story`: a day of the city played in a space of its own, against the running product.

making.py      the space: its clock, its things, its devices and their secrets
signals.py     what they report · senders.py  one stock MQTT client per device
persons.py     the persons of the story, who act through posts
witness.py     what happened, as the pages show it
director.py    the steps: clock, expectations, waiting for a person
held.py        one player at a time, and none while a space is dropped
dropping.py    and it never was · commands.py  the command line
"""
