"""responses and their tasks."""
