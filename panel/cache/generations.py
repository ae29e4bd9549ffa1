"""The generation of an organization's entries: while it stands, none of them was written.

Random text, gone while something is written, another one afterwards. So what was seen under a
generation may be believed while that one stands; a writer that dies in between leaves none. One
small question stands for a dozen: an open panel asks every other second whether anything has
changed.
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
    """In this process."""

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
    """On this machine. A generation is where a symbolic link points to.

    It is made and read in one step each. Reading a file takes four, each of which lets another
    thread go first.
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
    """On every machine that speaks to this Redis."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = f"{prefix}mark:"  # stays, so that both versions share it during an update

    def get(self, organization: int) -> str | None:
        found = self._client.get(f"{self._prefix}{organization}")
        return found.decode() if isinstance(found, bytes) else None

    def drop(self, organization: int) -> None:
        self._client.delete(f"{self._prefix}{organization}")

    def renew(self, organization: int) -> None:
        self._client.set(
            f"{self._prefix}{organization}", secrets.token_hex(8), ex=GENERATION_SECONDS
        )
