"""Our own database: connections, migrations, and the tables, each with one owner."""
