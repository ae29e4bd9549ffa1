"""One mark for each organization: as long as it stands, nothing of its kept copies was written.

Random text, gone while something is written, another one afterwards. So what was seen under a mark
may be believed while that mark stands; a writer that dies in between leaves none. One small
question stands for a dozen: an open panel asks every other second whether anything has changed.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import redis

GENERATION_SECONDS = 48 * 3600  # of Redis: longer than any copy lives
MOST_GENERATIONS = 100_000


class Generations(Protocol):
    """`of` raises nothing but a trouble with the store: an `OSError` or a `RedisError`."""

    def get(self, organization: int) -> str | None: ...

    def drop(self, organization: int) -> None: ...

    def renew(self, organization: int) -> None: ...


class ProcessGenerations:
    """In this process."""

    def __init__(self) -> None:
        self._marks: dict[int, str] = {}

    def get(self, organization: int) -> str | None:
        return self._marks.get(organization)

    def drop(self, organization: int) -> None:
        self._marks.pop(organization, None)

    def renew(self, organization: int) -> None:
        if len(self._marks) >= MOST_GENERATIONS:
            self._marks.clear()
        self._marks[organization] = secrets.token_hex(8)


class FileGenerations:
    """On this machine. A mark is where a symbolic link points to: made and read in one step each.

    Reading a file takes four steps, each of which lets another thread go first.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = str(folder)

    def get(self, organization: int) -> str | None:
        try:
            return os.readlink(f"{self._folder}/{organization}")  # noqa: PTH115 (half the time)
        except FileNotFoundError:
            return None

    def drop(self, organization: int) -> None:
        with suppress(FileNotFoundError):
            os.unlink(f"{self._folder}/{organization}")  # noqa: PTH108 (as above: at every hook)

    def renew(self, organization: int) -> None:
        mark = secrets.token_hex(8)
        new = Path(self._folder, f"{organization}.{mark}")
        new.symlink_to(mark)
        new.replace(Path(self._folder, str(organization)))


class RedisGenerations:
    """On every machine that speaks to this Redis."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = f"{prefix}mark:"

    def get(self, organization: int) -> str | None:
        mark = self._client.get(f"{self._prefix}{organization}")
        return mark.decode() if isinstance(mark, bytes) else None

    def drop(self, organization: int) -> None:
        self._client.delete(f"{self._prefix}{organization}")

    def renew(self, organization: int) -> None:
        self._client.set(
            f"{self._prefix}{organization}", secrets.token_hex(8), ex=GENERATION_SECONDS
        )
