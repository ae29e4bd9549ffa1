"""The contacts of a Chatwoot account: reads one, filters and searches, creates and updates."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from panel.errors import CHATWOOT_SIDE, Unreadable, naming_side
from panel.upstream.chatwoot_calls import AccountCalls, refuses_key
from panel.upstream.chatwoot_parts import ContactAnswer, ContactsAnswer
from panel.upstream.chatwoot_records import (
    ABSENT,
    CONTAINS,
    ID_ATTRIBUTE,
    PRESENT,
    Condition,
    Contact,
    fold,
    make_question,
    parse_contact,
    require_number,
    require_object,
)

MOST_CONTACT_PAGES = 200  # of contacts in one list
PAGE_CONTACTS = 15  # contacts in a page, of lists and filters


class ContactCalls(AccountCalls):
    """Every method raises `PanelError`."""

    @naming_side(CHATWOOT_SIDE)
    def contact(self, number: int) -> Contact:
        """Raises `Missing` for a contact that was deleted or merged into another."""
        return parse_contact(self._get_parts(f"contacts/{number}", ContactAnswer)["payload"])

    @naming_side(CHATWOOT_SIDE)
    def find_contact(self, key: str, value: str) -> Contact | None:
        """Return the contact whose `identifier`, `email` or `phone_number` is exactly this value.

        Filters are used, never the search: a search finds parts of values, and has a limit of its
        own.
        """
        rows = self._filter_contacts([Condition(key, value)])["payload"]
        # Chatwoot compares without case and with look-alikes: other values are dropped.
        same = [parse_contact(row) for row in rows if fold(row.get(key)) == fold(value)]
        return min(same, key=lambda contact: contact.id, default=None)

    @naming_side(CHATWOOT_SIDE)
    def find_contacts(
        self, conditions: Sequence[Condition], page: int = 1
    ) -> tuple[list[Contact], int]:
        """Return contacts for which one of the conditions holds, and their number in all.

        The list is one page: Chatwoot promises no order, so pages may overlap. The filter compares
        without case, so look-alikes come too.
        """
        answer = self._filter_contacts(conditions, "OR", page=page)
        count = require_number(require_object(answer.get("meta")), "count")
        return [parse_contact(row) for row in answer["payload"]], count

    @naming_side(CHATWOOT_SIDE)
    def list_with_organization(self, page: int) -> tuple[list[Contact], int]:
        """Return a page of the contacts that name any organization, and their number in all.

        Pages shift while contacts come and go: a contact may exist and stand on none of them.
        Raises `Unreadable` where `setup` has not defined the attribute.
        """
        return self.find_contacts([Condition(ID_ATTRIBUTE, (), PRESENT)], page)

    @naming_side(CHATWOOT_SIDE)
    def list_strangers(self, keys: Sequence[Condition]) -> list[Contact]:
        """Return the contacts that have one of these keys and name no organization.

        The list is empty where `setup` has not defined the attribute.
        """
        # AND binds tighter than OR, and there are no parentheses: each key has its own condition.
        absent = Condition(ID_ATTRIBUTE, (), ABSENT)
        return self._list_defined(
            [condition for key in keys for condition in (key, absent)], "AND", "OR"
        )

    @naming_side(CHATWOOT_SIDE)
    def list_claimants(self, attributes: dict[str, str]) -> list[Contact]:
        """Return the contacts whose custom attributes have all these values; a visitor can write
        them.

        The list is empty where Chatwoot does not know the attributes: it filters only by those that
        `setup` defined.
        """
        conditions = [Condition(key, value) for key, value in attributes.items()]
        return sorted(self._list_defined(conditions, "AND"), key=lambda contact: contact.id)

    @naming_side(CHATWOOT_SIDE)
    def list_members(self, organization: int) -> list[Contact]:
        """Return the contacts whose custom attributes name the organization, alone or beside
        others; none where `setup` has not defined the attribute."""
        number = str(organization)
        parts = (f"{number},", f",{number}")
        conditions = [
            Condition(ID_ATTRIBUTE, number),
            *(Condition(ID_ATTRIBUTE, part, CONTAINS) for part in parts),
        ]
        contacts = self._list_defined(conditions, "OR")
        return [
            contact
            for contact in contacts
            if number in _split(contact.attributes.get(ID_ATTRIBUTE))
        ]

    def _list_defined(self, conditions: Sequence[Condition], *joints: str) -> list[Contact]:
        try:
            return self._list_pages(conditions, *joints)
        except Unreadable as error:
            if refuses_key(error):
                return []
            raise

    def _list_pages(self, conditions: Sequence[Condition], *joints: str) -> list[Contact]:
        contacts: dict[int, Contact] = {}
        for page in range(1, MOST_CONTACT_PAGES + 1):
            rows = self._filter_contacts(conditions, *joints, page=page)["payload"]
            contacts |= {contact.id: contact for contact in map(parse_contact, rows)}
            if len(rows) < PAGE_CONTACTS:
                break
        return list(contacts.values())

    def _filter_contacts(
        self, conditions: Sequence[Condition], *joints: str, page: int = 1
    ) -> dict[str, Any]:
        question = make_question(conditions, *joints)
        return self._get_parts(f"contacts/filter?page={page}", ContactsAnswer, question)

    def count_identifiers(self, part: str) -> int:
        """Count the contacts that have this text in their `identifier`, in exactly this case."""
        return len(self.list_identifiers(part))

    def list_identifiers(self, part: str) -> dict[int, str]:
        """Return the identifiers that hold this text, by contact; of the first pages.

        The search is used, because the filter of identifiers knows no part of one
        (`filter_keys.yml` of 4.0.0 to 4.16.2). The search looks into names, e-mails and phones as
        well.
        """
        identifiers: dict[int, str] = {}
        for page in range(1, MOST_CONTACT_PAGES + 1):
            query = urlencode({"q": part, "page": page, "include_contact_inboxes": "false"})
            rows = self._get_parts(f"contacts/search?{query}", ContactsAnswer)["payload"]
            if not rows:
                break
            texts = {contact.id: contact.identifier or "" for contact in map(parse_contact, rows)}
            identifiers |= {number: text for number, text in texts.items() if part in text}
        return identifiers

    # -- writing ---------------------------------------------------------------------------------

    @naming_side(CHATWOOT_SIDE)
    def create_contact(self, fields: dict[str, Any]) -> Contact:
        """Raises `ValuesRefused` when another contact owns one of the values."""
        answer = require_object(self._write("POST", "contacts", fields, again=False))
        return parse_contact(require_object(answer.get("payload")).get("contact"))

    @naming_side(CHATWOOT_SIDE)
    def update_contact(self, number: int, fields: dict[str, Any]) -> None:
        """`custom_attributes` are merged by Chatwoot, key by key, without a lock."""
        self._write("PUT", f"contacts/{number}", fields)

    @naming_side(CHATWOOT_SIDE)
    def clear_contact(self, number: int, keys: list[str]) -> None:
        path = f"contacts/{number}/destroy_custom_attributes"
        self._write("POST", path, {"custom_attributes": keys})


def _split(value: Any) -> list[str]:
    return value.split(",") if isinstance(value, str) else []
