"""复核: what an alarm says, judged again from the lake's rows by two engines."""
