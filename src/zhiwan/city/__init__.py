"""The Django project of the district: people → registry → watch → cases → plans, shown by portal and api.

Foreign keys and reads go down that order; upwards only by jobs. In each app `actions.py` holds all writes and
`queries.py` all reads. Rows are guarded by PostgreSQL's row security: see people/acting.py and sql/rights.py.
"""
