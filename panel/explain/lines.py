"""An explanation in lines, for a person."""

import unicodedata
from collections.abc import Iterator
from datetime import datetime, tzinfo

from panel.customer.matching import PROVEN
from panel.data.history import PassState
from panel.deliveries import format_age
from panel.explain.documents import EMPTY, FRESH, SectionFacts
from panel.explain.explanation import Explanation, OrganizationFacts
from panel.explain.identity import Identity, describe_scope

NEVER_SEEN = "no pass has seen it"
UNSHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode's classes of invisible characters


class Drawing:
    """Draws explanations. `zone`: the zone of all times; `now`: epoch seconds."""

    def __init__(self, zone: tzinfo, now: float) -> None:
        self._zone = zone
        self._now = now

    def draw(self, explanation: Explanation) -> Iterator[str]:
        """Return the explanation, line by line. A visitor's text can neither end a line nor send
        control characters to a terminal."""
        return ("".join(map(_make_showable, line)) for line in self._draw(explanation))

    def _draw(self, explanation: Explanation) -> Iterator[str]:
        moment = datetime.fromtimestamp(self._now, self._zone)
        yield f"now        {moment:%Y-%m-%d %H:%M:%S %z}, as are all times below"
        for trouble in explanation.troubles:
            yield f"trouble    {trouble}"
        if explanation.identity:
            yield from self._draw_identity(explanation.identity)
        if explanation.hook:
            hook = explanation.hook
            came = self.format(hook.received_at)
            yield f"hook       {hook.hook_id}: {hook.kind}, came {came}, {hook.status}"
            if hook.organization is None:
                yield "           it names no organization, so it changed nothing"
        for organization in explanation.organizations:
            yield from self._draw_organization(organization)
        yield from self._draw_journal(explanation)

    def format(self, at: float) -> str:
        """Write a time, with its day where that is not today."""
        moment, today = (datetime.fromtimestamp(epoch, self._zone) for epoch in (at, self._now))
        day = "" if moment.date() == today.date() else f"{moment:%Y-%m-%d} "
        return f"{day}{moment:%H:%M:%S}"

    def _draw_identity(self, identity: Identity) -> Iterator[str]:
        channel = identity.channel or "a channel without a name"
        yield (
            f"asked      conversation {identity.conversation}, contact {identity.contact}, "
            f"inbox {identity.inbox} ({channel})"
        )
        if identity.agent:
            yield f"agent      {identity.agent}"
        for key in identity.keys:
            organizations = ", ".join(map(str, key.organizations))
            people = f"{key.people} {'person' if key.people == 1 else 'people'}"
            noun = "organization" if len(key.organizations) == 1 else "organizations"
            result = (
                f"{noun} {organizations} ({people})" if organizations else "nobody in the directory"
            )
            yield f"key        {key.key} {key.value} -> {result}"
        if not identity.keys:
            yield "key        the contact shows neither e-mail nor phone"
        for place, value in identity.claims:
            yield f"claim      {place}: {value}"
        for link in identity.links:
            by = f"by agent {link.agent}" if link.agent else "by a pass"
            on = f" on {link.rests_on}" if link.rests_on else ""
            words = f"organization {link.organization} {link.state} {by}{on}"
            yield f"link       {describe_scope(link)}: {words}, {self.format(link.at)}"
        yield from _draw_customers(identity)

    def _draw_organization(self, facts: OrganizationFacts) -> Iterator[str]:
        yield f"company    organization {facts.organization}: {facts.name or NEVER_SEEN}"
        for section in facts.sections:
            yield f"  {section.section:<13}{self._draw_section(section)}"
            yield from (f"{'':<15}not readable: {unread}" for unread in section.unread)
        yield f"  {'passes':<13}{self._draw_passes(facts.passes)}"

    def _draw_section(self, section: SectionFacts) -> str:
        words = [f"{section.state}: {section.code}" if section.code else section.state]
        if section.copy_at:
            words.append(
                f"copy of {self.format(section.copy_at)} "
                f"({format_age(self._now - section.copy_at)}), version {section.version[:8]}"
            )
        if section.answer:
            words.append(f"last answer {section.answer} at {self.format(section.answered_at)}")
        if section.next_try > self._now:
            good = section.state in (FRESH, EMPTY)
            again = "good until" if good else "nobody asks again by themselves before"
            words.append(f"{again} {self.format(section.next_try)}")
        else:
            words.append("asked for anew when somebody looks")
        return "; ".join(words)

    def _draw_passes(self, state: PassState) -> str:
        words = [f"last read {self.format(state.read_at)}" if state.read_at else NEVER_SEEN]
        if state.gone_at:
            words.append(f"not found in the back office since {self.format(state.gone_at)}")
        if state.tries:
            why = f"{state.side}: {state.reason}".removeprefix(": ")
            words.append(f"{state.tries} tries failed, the last one because of {why}")
        if state.waits:
            later = state.due_at > self._now
            words.append(f"next try {self.format(state.due_at)}" if later else "one waits")
        if state.runs:
            words.append("one runs")
        return "; ".join(words)

    def _draw_journal(self, explanation: Explanation) -> Iterator[str]:
        span = explanation.question.span
        since, until = self.format(span.since), self.format(span.until)
        yield f"journal    {since} to {until}, the newest first"
        for event in explanation.journal:
            yield f"  {self.format(event.at)}  {event.what}"
        if not explanation.journal:
            yield "  nothing"


def _draw_customers(identity: Identity) -> Iterator[str]:
    for customer in identity.customers:
        how = f"{customer.link} by {customer.source}"
        yield f"shown      organization {customer.organization}, {how}"
        yield f"           {customer.trust}: {customer.why}"
    if not identity.customers:
        yield "shown      nobody: no key, no link and no attribute names an organization"
    elif len(identity.customers) > 1:
        yield "           several match, so the panel asks the agent to choose"
    if identity.refused:
        refusals = ", ".join(map(str, identity.refused))
        yield f"refused    organization {refusals}: an agent said that it is another one"


def is_proven(explanation: Explanation) -> bool:
    """Tell whether the panel would show a single customer, and as proven."""
    customers = explanation.identity.customers if explanation.identity else ()
    return len(customers) == 1 and customers[0].trust == PROVEN


def _make_showable(sign: str) -> str:
    """Replace control characters, marks of direction, halves of characters, and line ends."""
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in UNSHOWN else sign
