"""The values of a seal: the agent and the agent's proof, the organization that the agent may see,
and the conversation that it was opened from. The module `tokens` signs and checks seals.
"""

from dataclasses import dataclass
from typing import Any

from panel.errors import GiveUp

# The fields of a seal, in the order in which their values are signed. A new field goes to the end:
# during an update, programs of both versions read each other's seals.
SIGNED_FIELDS = (
    "agent",
    "proof",
    "account",
    "conversation",
    "contact",
    "organization",
    "trust",
    "uncovered",
    "since",
    "generation",
    "verification",
)
EARLIEST_VALUES = 9  # the number of values in a seal that every version of this program knows


class InvalidSeal(GiveUp):
    """`seal_expired`, `seal_invalid` or `agent_removed`: the panel has to prove its agent anew."""

    code = "seal_invalid"


@dataclass(frozen=True)
class Seal:
    """`organization` 0: proven, but no organization found yet. `trust`: see `customer.matching`.

    `since`: the time of the proof (epoch seconds). A seal that is made from another seal lives no
    longer than that one. `uncovered`: sections that the agent may see unmasked, for a reason that
    they gave. `generation`: of its agent, see `revocation`; a seal of another generation than the
    present one has ended. `verification`: the token of the verification that `trust` rests on, if
    any; the seal is valid as long as the verification is.
    """

    agent: int
    proof: str
    account: int
    conversation: int
    contact: int
    organization: int = 0
    trust: str = "unproven"
    uncovered: tuple[str, ...] = ()
    since: int = 0
    generation: int = 0
    verification: str = ""


def list_values(seal: Seal) -> list[Any]:
    """Return the values to sign. A seal without values for the newer fields is written in the old
    form, so that older versions can still read it."""
    values = [getattr(seal, name) for name in SIGNED_FIELDS]
    while not values[-1] and len(values) > EARLIEST_VALUES:
        values.pop()
    return values


def name_values(values: list[Any]) -> Seal:
    """Return the seal with these values; raises `TypeError` or `ValueError` where they are none."""
    if not EARLIEST_VALUES <= len(values) <= len(SIGNED_FIELDS):
        raise ValueError("a seal of another form")
    fields = dict(zip(SIGNED_FIELDS, values, strict=False))  # older programs sign fewer values
    return Seal(**fields | {"uncovered": tuple(fields["uncovered"])})  # JSON knows lists alone
