"""A person with several contacts."""

from tests.sync.benches import name_of, ours
from tests.sync.passes import Bench

FORMER, NEW = "ana@acme.example", "ana.souza@acme.example"


def assert_told(bench: Bench, *contacts: int) -> None:
    for contact in contacts:
        assert ours(bench.chat.contacts[contact])["middag_role"] == "member", contact
        talks = [
            conversation
            for conversation in bench.chat.conversations.values()
            if conversation["contact_id"] == contact
        ]
        assert [name_of(row) for row in talks] == ["42"], contact
