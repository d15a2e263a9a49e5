"""What happened, in a database: tables, migrations, writes and reads. SQLite by default, PostgreSQL by URL."""
