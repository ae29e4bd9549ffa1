"""Obstacles: why our files or our database cannot be used, as a sentence for the administrator."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

# Beside the SQLite file: SQLite's own two, and our locks (`schema`, `inbox`, `leader`).
COMPANIONS = ("", "-wal", "-shm", ".lock", ".writing.lock", ".executing.lock")
# Folders that many programs share. Where our files stand directly in one of them, the advice is to
# give them a folder of their own.
SYSTEM_FOLDERS = {"/", "/dev", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/usr"}
SYSTEM_FOLDERS |= {"/var", "/var/cache", "/var/lib"}
ROOTS_FILES = "run commands as the service's user (docs/operate.md)"
# SQLite's words, and what an administrator can do about them.
SQLITE_REMEDIES = {
    "full": "make room on its disk",
    "not a database": "PANEL_DATABASE_URL names a file of something else",
    "malformed": "it is damaged: restore a backup (docs/operate.md)",
    "locked": "another program holds it",
}


class Obstacle(Exception):
    """An obstacle that an administrator has to remove before the program can start; the text says
    how."""


def find_obstacle(path: Path) -> str:
    """Return the reason why this process cannot write or make the file or folder; empty: it can."""
    existing = _find_existing(path)
    if existing != path and not existing.is_dir():
        return f"{existing} is a file and no folder"
    if os.access(existing, os.W_OK | (os.X_OK if existing.is_dir() else 0)):
        return ""
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        return f"{existing} lies on a disk that can only be read"
    owner, own = existing.stat().st_uid, os.geteuid()
    if owner == own:
        mode = stat.filemode(existing.stat().st_mode)
        return f"{existing} is ours but closed ({mode}): chmod u+rwX {existing}"
    user = _name_user(own)
    if str(existing) in SYSTEM_FOLDERS:
        return f"{existing} belongs to {_name_user(owner)}: use a folder below it that is {user}'s"
    return (
        f"{existing} belongs to {_name_user(owner)}, and this process is {user}: "
        f"chown {user} {existing}, and {ROOTS_FILES}"
    )


def _find_existing(path: Path) -> Path:
    """Return the path if it exists, else the nearest existing folder above it."""
    path = path.absolute()
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def _name_user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def refuse_obstacles(engine: Engine, *folders: Path) -> None:
    """Raises `Obstacle` when the database's files or these folders cannot be written.

    No file is made or opened. A database on a server is not asked.
    """
    for path in (*_list_files(engine), *folders):
        if why := find_obstacle(path):
            raise Obstacle(f"{_name_path(path, why)}.")
    for file in _list_files(engine):
        if file.is_dir():
            raise Obstacle(f"{file} is a folder, and should be a file.")


def _name_path(path: Path, why: str) -> str:
    return why if why.startswith(f"{path} ") else f"{path} cannot be used: {why}"


def _list_files(engine: Engine) -> Iterator[Path]:
    if engine.dialect.name == "sqlite":
        file = str(engine.url.database)
        yield from (Path(file + companion) for companion in COMPANIONS)


def explain(error: BaseException, engine: Engine) -> str:
    """Return a sentence for trouble with the database or with a file; empty for any other
    trouble."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SQLAlchemyError):
            name, why = _name_database(engine), _find_cause(cause, engine)
            return f"The database {name} cannot be used: {why}."
        if isinstance(cause, OSError) and cause.filename:
            file = Path(os.fsdecode(cause.filename))
            is_file = isinstance(cause, FileExistsError | NotADirectoryError)
            words = "it is a file and no folder" if is_file else str(cause.strerror)
            return f"{_name_path(file, find_obstacle(file) or words)}."
        cause = cause.__cause__ or cause.__context__
    return ""


def _name_database(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    return f"{engine.url.database} on {engine.url.host or 'this machine'}"


def _find_cause(error: SQLAlchemyError, engine: Engine) -> str:
    """Return the cause in the driver's words, which name user and host and never the password."""
    words = (str(getattr(error, "orig", "") or type(error).__name__).splitlines() or [""])[0]
    blocked = [why for why in map(find_obstacle, _list_files(engine)) if why]
    if blocked:
        return blocked[0]
    remedies = [remedy for part, remedy in SQLITE_REMEDIES.items() if part in words]
    remedy = remedies[0] if remedies and engine.dialect.name == "sqlite" else ""
    return f"{words}; {remedy}" if remedy else words
