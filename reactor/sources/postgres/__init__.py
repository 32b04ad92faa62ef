"""PostgreSQL as a source: polled tables, and changes of schemas. May know asyncpg (the extra `postgres`); imports it where it is used first."""
