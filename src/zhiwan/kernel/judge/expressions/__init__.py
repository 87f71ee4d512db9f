"""The small language of rules and indicators: SQL syntax in, a frozen typed tree out. Start in nodes.py."""
