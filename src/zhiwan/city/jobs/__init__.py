"""Background work in PostgreSQL (procrastinate). Tasks are known by name, so a lower app may ask for a higher one's."""
