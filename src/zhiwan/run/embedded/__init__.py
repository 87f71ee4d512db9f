"""The servers Zhiwan brings along for one host: PostgreSQL and NATS as direct children that die with their parent.

Larger installations give URLs instead (`ZHIWAN_DATABASE_URL`, `ZHIWAN_NATS_URL`) and never come here.
"""
