"""The finding of a health check."""

from dataclasses import dataclass

FINE = ("ok", "unused")


@dataclass(frozen=True)
class Finding:
    """`word`: `ok`, `unused`, or what is wrong; `detail`: the same for people, may be empty."""

    word: str
    detail: str = ""

    @property
    def is_fine(self) -> bool:
        return self.word in FINE
