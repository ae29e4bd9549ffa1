"""The states that a process has seen: the contents of the store, valid while nothing was written
since.

While an organization's generation stands (see `generations`), a state that was seen under it need
not be read and parsed again, so most questions read the generation alone.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from panel.cache.backend import CacheBackend
from panel.cache.entries import Resource, State
from panel.cache.ttl_cache import TtlCache

T = TypeVar("T")

# If two writers overlap and one of them dies, the other one sets a generation although the first
# write is not complete. A state that was remembered under it may be wrong for this long.
REMEMBERED_SECONDS = 10.0
MOST_STATES = 8192  # counted without values: most readers only ask what has changed
VALUE_WEIGHT = 16  # a state with its value counts as so many states: the value may be large


class StateMemory:
    """Safe for threads."""

    def __init__(self, store: CacheBackend, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        # The states by generation and name. The results of our own reads, by token and key.
        self._memory = TtlCache[State[Any]](MOST_STATES, clock, _weigh)

    def share(self, resource: Resource[T], stored_token: str, result: State[T]) -> None:
        """Remember the result of a read in this process, for the readers who wait for it."""
        until = self._clock() + REMEMBERED_SECONDS
        self._memory.put((stored_token, resource.entry_key), result, until)

    def find_shared(self, resource: Resource[T], stored_state: State[T]) -> State[T] | None:
        """Return the result of a read under the token that the store has now: the result of a read
        that was invalidated meanwhile is not found."""
        return self._memory.get((stored_state.token, resource.entry_key))

    def recall(self, resources: Sequence[Resource[Any]], with_value: bool) -> list[State[Any]]:
        """Return the states of one organization: as seen under its generation, or loaded now."""
        if not resources:
            return []
        # The generation is read before the keys. Read after them, it might come from a write that
        # the keys do not show yet, and the old state would count as valid.
        generation = self._store.generation_of(resources[0].organization)
        if not generation:
            return self.load(resources, with_value)
        states_known = [self._memory.get((generation, resource.name)) for resource in resources]
        states = [state for state in states_known if state and (not with_value or state.is_parsed)]
        if len(states) == len(resources):
            return states
        return self._complete(resources, states_known, generation, with_value)

    def _complete(
        self,
        resources: Sequence[Resource[Any]],
        states: list[State[Any] | None],
        generation: str,
        with_value: bool,
    ) -> list[State[Any]]:
        """Return the known states, and load and remember the others."""
        by_name: dict[str, State[Any]] = {}
        for resource, state in zip(resources, states, strict=True):
            # A state with its value stays in place, so that a reader without need of values costs
            # no other reader a parse.
            if state and (not with_value or state.is_parsed):
                by_name[resource.name] = state
        missing = [resource for resource in resources if resource.name not in by_name]
        until = self._clock() + REMEMBERED_SECONDS
        for resource, loaded in zip(missing, self.load(missing, with_value), strict=True):
            self._memory.put((generation, resource.name), loaded, until)
            by_name[resource.name] = loaded
        return [by_name[resource.name] for resource in resources]

    def load(self, resources: Sequence[Resource[Any]], with_value: bool) -> list[State[Any]]:
        keys = [key for resource in resources for key in (resource.token_key, resource.entry_key)]
        values = self._store.get(*keys)
        tokens, entries = values[0::2], values[1::2]  # they alternate, as their keys do
        now = self._clock()
        return [
            State.make(resource, token, entry, now, with_value)
            for resource, token, entry in zip(resources, tokens, entries, strict=True)
        ]


def _weigh(state: State[Any]) -> int:
    return 1 if state.value is None else VALUE_WEIGHT
