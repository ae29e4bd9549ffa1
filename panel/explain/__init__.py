"""Why the panel shows what it shows: the command `explain`, and `GET /why` for administrators."""
