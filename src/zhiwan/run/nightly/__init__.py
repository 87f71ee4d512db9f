"""What is done every night, by `zhiwan nightly` as a process of its own with the rights that it needs.

rounds.py     the round: delete what is due, wipe its files, back up, let old backups go
wiping.py     until no file of the database holds what was deleted
schedule.py   when `zhiwan up` starts the round
"""
