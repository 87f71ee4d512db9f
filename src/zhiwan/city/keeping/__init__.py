"""What is kept and what is let go: backups, drills, and personal fields whose term has ended.

models.py   the register of backups and drills, and the receipts of what was deleted
terms.py    what is due, and when
actions.py  what is written: a backup made, a key destroyed, a drill, a deletion
queries.py  what pages show
"""
