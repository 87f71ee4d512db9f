"""Three engines printed from one tree: reference (the law), polars (streams), duckdb (history)."""
