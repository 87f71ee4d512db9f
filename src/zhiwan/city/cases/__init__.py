"""what people do about an alarm."""
