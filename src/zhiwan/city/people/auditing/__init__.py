"""What is done with the audit after it was written: read, signed, checked, exported, searched, kept and let go.

Writing it is people/audit.py; the chain itself kernel/guard. Explained in docs/explain/audit.md.
"""
