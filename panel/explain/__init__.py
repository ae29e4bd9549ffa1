"""Explanations of what the panel shows: the command `explain`, and `GET /why` for
administrators."""
