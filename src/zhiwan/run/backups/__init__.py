"""Backup, restore and the drill that proves them.

archive.py    the sealed file: a tar stream, encrypted and authenticated in pieces, and its manifest
keys.py       one key for each backup, sealed to a recovery key that is kept elsewhere
making.py     a consistent picture of a running Zhiwan: dump first, then the lake, which may only be newer
restoring.py  into an empty place, or nothing at all
drill.py      restore into an empty place, compare, measure, report
starting.py   the restored place started as a person would
commands.py   what the command line says
"""
