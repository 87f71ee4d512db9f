"""latest values, alarms, warnings."""
