"""Who may see what in Chatwoot, and what a channel knows of a contact: each is asked within 40 s.

An older list is used by `auth.access` alone, which asks for it.
"""

from panel.cache.entries import Resource
from panel.cache.policy import CacheControl
from panel.deadline import Deadline
from panel.errors import Missing
from panel.upstream.chatwoot_calls import ACCESS_LIFETIMES, AccountCalls
from panel.upstream.chatwoot_parts import ContactAnswer
from panel.upstream.chatwoot_records import (
    parse_numbers,
    parse_pairs,
    read_ids,
    read_sources,
    require_object,
)


class AccessCalls(AccountCalls):
    """Every method raises `PanelError`."""

    def members(self, inbox: int, control: CacheControl = CacheControl.FRESH) -> frozenset[int]:
        """Ids of the agents who belong to the inbox."""
        resource = Resource("chatwoot-members", inbox, ACCESS_LIFETIMES, parse_numbers)
        path = f"inbox_members/{inbox}"

        def fetch(by: Deadline) -> list[int]:
            return read_ids(require_object(self._fetch(path, by)).get("payload"))

        ids = self._read_cached(resource, path, fetch, control)
        return frozenset(ids)

    def team_members(self, team: int, control: CacheControl = CacheControl.FRESH) -> frozenset[int]:
        """Ids of the agents who belong to the team; of none that is gone."""
        resource = Resource("chatwoot-team", team, ACCESS_LIFETIMES, parse_numbers)
        path = f"teams/{team}/team_members"

        def fetch(by: Deadline) -> list[int]:
            return read_ids(self._fetch(path, by))

        try:
            ids = self._read_cached(resource, path, fetch, control)
        except Missing:
            return frozenset()
        return frozenset(ids)

    def sources(self, contact: int, inbox: int) -> frozenset[str]:
        """How the channel of this inbox calls the contact: addresses, numbers (`source_id`).

        Asked anew: who was merged into the contact a moment ago must not find the former answer.
        """
        resource = Resource("chatwoot-sources", contact, ACCESS_LIFETIMES, parse_pairs)
        path, anew = f"contacts/{contact}", CacheControl.NO_CACHE

        def fetch(by: Deadline) -> list[list[object]]:
            return read_sources(self._fetch_parts(path, ContactAnswer, by)["payload"])

        joined = self._read_cached(resource, path, fetch, anew)
        return frozenset(source for where, source in joined if where == inbox)
