"""The place in memory for the files of tests, none of which has to outlive its test."""

import shutil

FOLDER = "/dev/shm"
ROOM = 2 << 30  # bytes: each database on PostgreSQL takes 8 MB


def find_memory() -> str | None:
    """Return a folder in memory, if it has room: on a disk each commit waits for the disk, and on a
    busy one a new database takes half a second."""
    try:
        return FOLDER if shutil.disk_usage(FOLDER).free > ROOM else None
    except FileNotFoundError:
        return None
