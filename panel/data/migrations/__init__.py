"""The schema of our tables, in numbered steps (Alembic), and what may run on which schema.

A new step is a new module in `versions/`, made after the one before it: the next number as its
`revision`, the last one as its `down_revision`, `upgrade()` with Alembic's operations, and
`OLDEST_CODE`: the lowest `version.SCHEMA` of a program that still works on the tables afterwards. A
new table, or a new column with a default, does not trouble older programs: the number stays as it
was. A table or column may be removed one version after programs have ceased to read it.
`version.SCHEMA` becomes the new number. There are no downgrades: docs/operate.md says why.
"""
