"""The opening of a panel: one company with its head and what needs a word, a choice, or none.

Every answer needs a visit, which only a proven agent gets, or a seal; ids come from there.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask import render_template
from markupsafe import Markup

from panel.auth.tokens import Seal
from panel.customer.lookup import Visit
from panel.customer.matching import UNPROVEN, Candidate
from panel.data import audit_log
from panel.data.audit_log import AuditEntry
from panel.data.links import MATCHED
from panel.data.standing import UNKNOWN, Standing, read_standing
from panel.errors import PanelError
from panel.models.organizations import ENTITIES
from panel.services import services
from panel.web.attention import Attention, Situation, find_attention
from panel.web.rendering import (
    find_masked,
    peek_view,
    read_moment,
    render_section,
)
from panel.web.sections import (
    SECTIONS,
    SectionView,
    make_loading_view,
    make_shown_failure,
    mark_unchecked,
)


@dataclass(frozen=True)
class Company:
    """What the head says of the company: as its section has it, else as the passes left it."""

    id: int
    name: str
    plan: str | None
    billing: str | None


def render_panel(visit: Visit, chosen: int = 0, notice: str = "") -> str:
    """The panel: one organization, a choice between several, or none."""
    found = visit.found
    notice = notice or ("" if visit.links_known else "links_unknown")
    candidate = found.get(chosen) or (found.candidates[0] if len(found.candidates) == 1 else None)
    if candidate:
        return _render_ready(visit, candidate, notice)
    template = "choose.html" if found.candidates else "unlinked.html"
    views = [_peek_card(each) for each in found.candidates]
    for each, view in zip(found.candidates, views, strict=True):
        services().audit_log.try_record(_make_entry(visit.seal, each, [view]))
    cards = [_make_card(visit, *pair) for pair in zip(found.candidates, views, strict=True)]
    return render_template(
        template,
        visit=visit,
        cards=cards,
        seal=_sign_seal(visit),
        notice=notice,
        agents=services().chatwoot.agents(),
    )


def _peek_card(candidate: Candidate) -> SectionView:
    """A card shows its organization, too."""
    masked = find_masked(candidate.trust)
    return peek_view(SECTIONS["organization"], candidate.organization, masked)


def _make_card(
    visit: Visit, candidate: Candidate, view: SectionView
) -> tuple[Candidate, str, Markup, str]:
    """One of several that fit, with the seal that opens it, its section and its name."""
    section = render_section(view, candidate.organization)
    standing = _read_standing(candidate.organization)
    name = _describe_company(candidate.organization, view, standing).name
    return candidate, _sign_seal(visit, candidate), section, name


def _render_ready(visit: Visit, candidate: Candidate, notice: str) -> str:
    masked = find_masked(candidate.trust)
    views = {
        name: peek_view(section, candidate.organization, masked)
        for name, section in SECTIONS.items()
    }
    if not visit.access_checked:
        views = {
            name: mark_unchecked(view) if view.selection else view for name, view in views.items()
        }
    services().audit_log.try_record(_make_entry(visit.seal, candidate, list(views.values())))
    standing = _read_standing(candidate.organization)
    is_stranger = bool(
        not candidate.role and candidate.link != MATCHED and standing.people and visit.links_known
    )
    return render_template(
        "contact.html",
        visit=visit,
        candidate=candidate,
        company=_describe_company(candidate.organization, views["organization"], standing),
        attention=_find_attention(views, standing, is_stranger),
        is_stranger=is_stranger,
        moment=read_moment(),
        now=time.time(),
        is_cold=any(view.state == "loading" for view in views.values()),
        masked=masked,
        sections=[render_section(view, candidate.organization) for view in views.values()],
        seal=_sign_seal(visit, candidate),
        notice=notice,
        agents=services().chatwoot.agents(),
    )


def render_attention(
    seal: Seal, is_stranger: bool, is_checked: bool, failures: Mapping[str, str]
) -> str:
    """What needs a word by now, with the head's own facts beside it; nobody is asked for it.

    `is_stranger`: as it stood when the panel was opened. `failures`: the code of each section that
    the agent sees failed; the cache forgets a failure sooner than the screen does.
    """
    masked = find_masked(seal.trust)
    views = {
        name: peek_view(section, seal.organization, masked) for name, section in SECTIONS.items()
    }
    views |= {
        name: make_shown_failure(SECTIONS[name], code)
        for name, code in failures.items()
        if views[name].state == "loading"
    }
    if not is_checked:
        views = {name: make_loading_view(view.section) for name, view in views.items()}
    standing = _read_standing(seal.organization)
    return render_template(
        "attention.html",
        company=_describe_company(seal.organization, views["organization"], standing),
        attention=_find_attention(views, standing, is_stranger),
        masked=masked,
        moment=read_moment(),
        now=time.time(),
    )


def _find_attention(
    views: Mapping[str, SectionView], standing: Standing, is_stranger: bool
) -> Attention:
    situation = Situation(
        views,
        standing.entitlement_status,
        is_stranger,
        bool(standing.buried),
        is_known=standing is not UNKNOWN,
    )
    return find_attention(situation, read_moment())


def _read_standing(organization: int) -> Standing:
    try:
        return read_standing(services().database, organization)
    except PanelError:
        return UNKNOWN  # a silent database knows nothing, and the sections are shown all the same


def _describe_company(organization: int, view: SectionView, standing: Standing) -> Company:
    if not view.selection:
        entity = standing.billing_entity or ""
        billing = ENTITIES.get(entity, entity) or None
        return Company(organization, standing.name, standing.plan, billing)
    known = view.selection.items[0].record
    return Company(organization, str(known.name), known.plan, known.billing_name)


def _make_entry(seal: Seal, candidate: Candidate, views: Sequence[SectionView]) -> AuditEntry:
    return AuditEntry(
        audit_log.SHOWN,
        seal.agent,
        seal.conversation,
        candidate.organization,
        seal.proof,
        candidate.link,
        candidate.source,
        " ".join(each.note for each in views),
    )


def _sign_seal(visit: Visit, candidate: Candidate | None = None) -> str:
    organization, trust = (candidate.organization, candidate.trust) if candidate else (0, UNPROVEN)
    verified = candidate.verified if candidate else None
    token = verified.token if verified else ""
    named = replace(visit.seal, organization=organization, trust=trust, verification=token)
    return services().seals.sign(named)
