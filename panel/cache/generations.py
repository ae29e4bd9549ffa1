"""The generation of an organization's cache entries: a random id that changes with each write.

A writer removes the generation before it writes and sets a new one afterwards. So entries that were
read under a generation are valid as long as it is current. A writer that dies in between leaves no
generation, and entries are read anew. An open panel asks every other second whether anything has
changed: one read of the generation answers that, instead of a dozen reads of entries.
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
    """`get` raises nothing but a trouble with the store: an `OSError` or a `RedisError`."""

    def get(self, organization: int) -> str | None: ...

    def drop(self, organization: int) -> None: ...

    def renew(self, organization: int) -> None: ...


class ProcessGenerations:
    """Generations for one process."""

    def __init__(self) -> None:
        self._generations: dict[int, str] = {}

    def get(self, organization: int) -> str | None:
        return self._generations.get(organization)

    def drop(self, organization: int) -> None:
        self._generations.pop(organization, None)

    def renew(self, organization: int) -> None:
        if len(self._generations) >= MOST_GENERATIONS:
            self._generations.clear()
        self._generations[organization] = secrets.token_hex(8)


class FileGenerations:
    """Generations for the processes of this machine. A generation is the target of a symbolic link.

    A link is read by one system call, a file by four, and other threads may run in between. With
    files in place of links, the benchmark's row `changes` takes a third longer.
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
        generation = secrets.token_hex(8)
        new = Path(self._folder, f"{organization}.{generation}")
        new.symlink_to(generation)
        new.replace(Path(self._folder, str(organization)))


class RedisGenerations:
    """Generations for processes of every machine that uses this Redis."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = f"{prefix}mark:"  # stays, so that both versions share it during an update

    def get(self, organization: int) -> str | None:
        value = self._client.get(f"{self._prefix}{organization}")
        return value.decode() if isinstance(value, bytes) else None

    def drop(self, organization: int) -> None:
        self._client.delete(f"{self._prefix}{organization}")

    def renew(self, organization: int) -> None:
        self._client.set(
            f"{self._prefix}{organization}", secrets.token_hex(8), ex=GENERATION_SECONDS
        )
