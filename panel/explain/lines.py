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
UNSHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # classes of characters that are not seen


class Drawing:
    """`zone`: whose clock the times show; `now`: epoch seconds."""

    def __init__(self, zone: tzinfo, now: float) -> None:
        self._zone = zone
        self._now = now

    def draw(self, told: Explanation) -> Iterator[str]:
        """Line by line. What a visitor wrote ends no line, and gives a terminal no order."""
        return ("".join(map(_make_showable, line)) for line in self._draw(told))

    def _draw(self, told: Explanation) -> Iterator[str]:
        moment = datetime.fromtimestamp(self._now, self._zone)
        yield f"now        {moment:%Y-%m-%d %H:%M:%S %z}, as are all times below"
        for trouble in told.troubles:
            yield f"trouble    {trouble}"
        if told.identity:
            yield from self._draw_identity(told.identity)
        if told.hook:
            hook = told.hook
            came = self.format(hook.received_at)
            yield f"hook       {hook.hook_id}: {hook.kind}, came {came}, {hook.status}"
            if hook.organization is None:
                yield "           it names no organization, so it changed nothing"
        for each in told.organizations:
            yield from self._draw_organization(each)
        yield from self._draw_journal(told)

    def format(self, at: float) -> str:
        """The hour alone where it is of today."""
        moment, today = (datetime.fromtimestamp(each, self._zone) for each in (at, self._now))
        day = "" if moment.date() == today.date() else f"{moment:%Y-%m-%d} "
        return f"{day}{moment:%H:%M:%S}"

    def _draw_identity(self, who: Identity) -> Iterator[str]:
        channel = who.channel or "a channel without a name"
        yield (
            f"asked      conversation {who.conversation}, contact {who.contact}, "
            f"inbox {who.inbox} ({channel})"
        )
        if who.agent:
            yield f"agent      {who.agent}"
        for key in who.keys:
            known = ", ".join(map(str, key.organizations))
            people = f"{key.people} {'person' if key.people == 1 else 'people'}"
            result = f"organization {known} ({people})" if known else "nobody in the directory"
            yield f"key        {key.key} {key.value} -> {result}"
        if not who.keys:
            yield "key        the contact shows neither e-mail nor phone"
        for place, value in who.claims:
            yield f"claim      {place}: {value}"
        for link in who.links:
            by = f"by agent {link.agent}" if link.agent else "by a pass"
            on = f" on {link.rests_on}" if link.rests_on else ""
            told = f"organization {link.organization} {link.state} {by}{on}"
            yield f"link       {describe_scope(link)}: {told}, {self.format(link.at)}"
        yield from _draw_customers(who)

    def _draw_organization(self, each: OrganizationFacts) -> Iterator[str]:
        yield f"company    organization {each.organization}: {each.name or NEVER_SEEN}"
        for section in each.sections:
            yield f"  {section.section:<13}{self._draw_section(section)}"
            yield from (f"{'':<15}not readable: {unread}" for unread in section.unread)
        yield f"  {'passes':<13}{self._draw_passes(each.passes)}"

    def _draw_section(self, section: SectionFacts) -> str:
        told = [f"{section.state}: {section.code}" if section.code else section.state]
        if section.copy_at:
            told.append(
                f"copy of {self.format(section.copy_at)} "
                f"({format_age(self._now - section.copy_at)}), version {section.version[:8]}"
            )
        if section.answer:
            told.append(f"last answer {section.answer} at {self.format(section.answered_at)}")
        if section.next_try > self._now:
            good = section.state in (FRESH, EMPTY)
            again = "good until" if good else "nobody asks again by themselves before"
            told.append(f"{again} {self.format(section.next_try)}")
        else:
            told.append("asked for anew when somebody looks")
        return "; ".join(told)

    def _draw_passes(self, state: PassState) -> str:
        told = [f"last read {self.format(state.read_at)}" if state.read_at else NEVER_SEEN]
        if state.gone_at:
            told.append(f"not found in the back office since {self.format(state.gone_at)}")
        if state.tries:
            why = f"{state.side}: {state.reason}".removeprefix(": ")
            told.append(f"{state.tries} tries failed, the last one because of {why}")
        if state.waits:
            later = state.due_at > self._now
            told.append(f"next try {self.format(state.due_at)}" if later else "one waits")
        if state.runs:
            told.append("one runs")
        return "; ".join(told)

    def _draw_journal(self, told: Explanation) -> Iterator[str]:
        span = told.question.span
        since, until = self.format(span.since), self.format(span.until)
        yield f"journal    {since} to {until}, the newest first"
        for event in told.journal:
            yield f"  {self.format(event.at)}  {event.what}"
        if not told.journal:
            yield "  nothing"


def _draw_customers(who: Identity) -> Iterator[str]:
    for each in who.customers:
        yield f"shown      organization {each.organization}, {each.link} by {each.source}"
        yield f"           {each.trust}: {each.why}"
    if not who.customers:
        yield "shown      nobody: no key, no link and no attribute names an organization"
    elif len(who.customers) > 1:
        yield "           several fit, so the panel asks the agent to choose"
    if who.refused:
        refused = ", ".join(map(str, who.refused))
        yield f"refused    organization {refused}: an agent said that it is another one"


def is_proven(told: Explanation) -> bool:
    """Would one customer be shown, and proven?"""
    customers = told.identity.customers if told.identity else ()
    return len(customers) == 1 and customers[0].trust == PROVEN


def _make_showable(sign: str) -> str:
    """Controls, marks of direction, halves of characters, and what ends a line."""
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in UNSHOWN else sign
