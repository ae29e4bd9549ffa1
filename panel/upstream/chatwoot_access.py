"""Access in Chatwoot: agents' memberships, and the addresses of a contact in a channel. The answers
are at most 40 s old.

Only `auth.access` uses older lists, and asks for them. The language of the account is read here
too, once an hour.
"""

from panel.cache.entries import Lifetimes, Reading, Resource
from panel.cache.policy import CacheControl
from panel.deadline import Deadline
from panel.errors import Missing, PanelError
from panel.upstream.chatwoot_calls import ACCESS_LIFETIMES, ACCOUNTS, AccountCalls
from panel.upstream.chatwoot_parts import ContactAnswer
from panel.upstream.chatwoot_records import (
    parse_numbers,
    parse_pairs,
    read_ids,
    read_locale,
    read_sources,
    require_object,
)

LOCALE_LIFETIMES = Lifetimes(fresh=3600, empty=300)


class AccessCalls(AccountCalls):
    """Every method raises `PanelError`."""

    def members(self, inbox: int, control: CacheControl = CacheControl.FRESH) -> frozenset[int]:
        """Return the ids of the agents who belong to the inbox."""
        resource = Resource("chatwoot-members", inbox, ACCESS_LIFETIMES, parse_numbers)
        path = f"inbox_members/{inbox}"

        def fetch(by: Deadline) -> list[int]:
            return read_ids(require_object(self._fetch(path, by)).get("payload"))

        ids = self._read_cached(resource, path, fetch, control)
        return frozenset(ids)

    def team_members(self, team: int, control: CacheControl = CacheControl.FRESH) -> frozenset[int]:
        """Return the ids of the agents who belong to the team; none for a team that is gone."""
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
        """Return the names that the contact has in the channel of this inbox, such as an address
        or a number (`source_id`).

        The list is read anew: a visitor who was merged into the contact a moment ago must not
        profit from the former answer.
        """
        pairs = self.addresses(contact)
        return frozenset(source for where, source in pairs if where == inbox)

    def addresses(
        self, contact: int, control: CacheControl = CacheControl.NO_CACHE
    ) -> frozenset[tuple[int, str]]:
        """Return pairs of an inbox that knows the contact and the contact's name in its channel.
        The pairs are read anew as well, unless `control` allows some age."""
        resource = Resource("chatwoot-sources", contact, ACCESS_LIFETIMES, parse_pairs)
        path = f"contacts/{contact}"

        def fetch(by: Deadline) -> list[list[object]]:
            return read_sources(self._fetch_parts(path, ContactAnswer, by)["payload"])

        pairs = self._read_cached(resource, path, fetch, control)
        return frozenset(pairs)

    def find_locale(self) -> str:
        """Return the language of the account, such as `pt_BR`; empty where Chatwoot names none.

        The dashboard speaks it to every agent who chose no other for themselves. A failure counts
        as the former answer, so that not every opening asks for a language. The failure is not
        logged: calls of more weight report an outage.
        """

        def fetch(by: Deadline) -> str:
            try:
                return read_locale(self._fetch("", by))
            except PanelError:
                reading = self.peek_locale()
                return reading.value if reading else ""

        return self._read_cached(_make_locale_resource(self._account), ACCOUNTS, fetch)

    def peek_locale(self) -> Reading[str] | None:
        """Return the language as it was read within a day, without a call."""
        return self._cache.peek(_make_locale_resource(self._account))


def _make_locale_resource(account: int) -> Resource[str]:
    return Resource("chatwoot-locale", account, LOCALE_LIFETIMES, str, lambda locale: not locale)
