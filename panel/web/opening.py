"""The opening of a panel: a company with its head and the records to talk about, a choice of
companies, or no company.

Every answer needs a visit, which only a proven agent gets, or a seal; the ids come from there.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask import render_template
from markupsafe import Markup

from panel.auth.seal import Seal
from panel.customer.lookup import Visit
from panel.customer.matching import UNPROVEN, Candidate, find_claimed_name
from panel.data import audit_log
from panel.data.audit_log import AuditEntry
from panel.data.links import MATCHED
from panel.data.standing import UNKNOWN, Standing, read_standing
from panel.errors import PanelError
from panel.models.organizations import ENTITIES
from panel.services import services
from panel.web.arrangement import find_preference
from panel.web.attention import Attention, find_attention
from panel.web.recent import find_changes
from panel.web.rendering import find_masked
from panel.web.section_rendering import peek_view, read_moment, render_section
from panel.web.sections import (
    SECTIONS,
    SectionView,
    make_loading_view,
    mark_shown_failure,
    mark_unchecked,
)
from panel.web.situation import Situation
from panel.web.summaries import SUMMARIZED, Summary, summarize


@dataclass(frozen=True)
class Company:
    """The head's facts about the company: from its section, else from the last pass.

    `claimed`: the name that Chatwoot has, for where neither knows a name; it is not proven.
    """

    id: int
    name: str
    plan: str | None
    billing: str | None
    claimed: str = ""


def render_panel(visit: Visit, organization: int = 0, notice: str = "") -> str:
    """Render the panel: one organization, a choice between several, or no organization."""
    identification = visit.found
    notice = notice or ("" if visit.links_known else "links_unknown")
    candidate = identification.get(organization) or (
        identification.candidates[0] if len(identification.candidates) == 1 else None
    )
    if candidate:
        return _render_ready(visit, candidate, notice)
    template = "choose.html" if identification.candidates else "unlinked.html"
    choices = [_make_choice(visit, candidate) for candidate in identification.candidates]
    return render_template(
        template,
        visit=visit,
        choices=choices,
        seal=_sign_seal(visit),
        notice=notice,
        agents=services().chatwoot.agents(),
    )


@dataclass(frozen=True)
class Choice:
    """A row of the choice between several companies that fit. `seal` opens the company; `section`:
    its own facts; `summaries`: of the deciding sections, as far as there are kept copies."""

    candidate: Candidate
    seal: str
    company: Company
    section: Markup
    summaries: tuple[Summary, ...]


def _make_choice(visit: Visit, candidate: Candidate) -> Choice:
    masked = find_masked(candidate.trust)
    names = ("organization", *SUMMARIZED)
    views = [peek_view(SECTIONS[name], candidate.organization, masked) for name in names]
    services().audit_log.try_record(_make_entry(visit.seal, candidate, views[:1]))
    standing = _read_standing(candidate.organization)
    company = _describe_company(candidate.organization, views[0], standing)
    return Choice(
        candidate,
        _sign_seal(visit, candidate),
        _add_claim(company, visit),
        render_section(views[0], candidate.organization),
        tuple(summarize(view) for view in views[1:]),
    )


def _render_ready(visit: Visit, candidate: Candidate, notice: str) -> str:
    masked = find_masked(candidate.trust)
    preference = find_preference(visit.seal)
    views = {
        name: replace(
            peek_view(SECTIONS[name], candidate.organization, masked),
            collapsed=name in preference.collapsed,
        )
        for name in preference.arrange(list(SECTIONS))
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
    company = _describe_company(candidate.organization, views["organization"], standing)
    return render_template(
        "contact.html",
        visit=visit,
        candidate=candidate,
        company=_add_claim(company, visit),
        attention=_find_attention(candidate.organization, views, standing, is_stranger),
        is_stranger=is_stranger,
        arranged=[view.section for view in views.values()],
        recent=find_changes(candidate.organization, visit.conversation, views),
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
    seal: Seal, is_stranger: bool, is_checked: bool, failures: Mapping[str, tuple[str, str]]
) -> str:
    """Render the lines that need a word by now, with the head's own facts beside them, from kept
    copies alone.

    `is_stranger`: the value from the opening of the panel. `failures`: the state and the code of
    each section that the agent sees failed or late. The cache forgets a failure sooner than the
    screen does, and never says why a young copy could not be refreshed.
    """
    masked = find_masked(seal.trust)
    views = {
        name: peek_view(section, seal.organization, masked) for name, section in SECTIONS.items()
    }
    views |= {
        name: mark_shown_failure(views[name], *failure)
        for name, failure in failures.items()
        if views[name].state == "loading" or views[name].follow
    }
    if not is_checked:
        views = {name: make_loading_view(view.section) for name, view in views.items()}
    standing = _read_standing(seal.organization)
    return render_template(
        "attention.html",
        company=_describe_company(seal.organization, views["organization"], standing),
        attention=_find_attention(seal.organization, views, standing, is_stranger),
        masked=masked,
        moment=read_moment(),
        now=time.time(),
    )


def _find_attention(
    organization: int, views: Mapping[str, SectionView], standing: Standing, is_stranger: bool
) -> Attention:
    situation = Situation(
        views,
        standing.entitlement_status,
        services().back_office.peek_stopped(organization),
        is_stranger,
        bool(standing.buried),
        is_known=standing is not UNKNOWN,
    )
    return find_attention(situation, read_moment())


def _read_standing(organization: int) -> Standing:
    try:
        return read_standing(services().database, organization)
    except PanelError:
        return UNKNOWN  # without the database the sections are shown all the same


def _describe_company(organization: int, view: SectionView, standing: Standing) -> Company:
    if not view.selection:
        entity = standing.billing_entity or ""
        billing = ENTITIES.get(entity, entity) or None
        return Company(organization, standing.name, standing.plan, billing)
    facts = view.selection.items[0].record
    return Company(
        organization,
        str(facts.name),
        facts.plan,
        facts.billing_name,
    )


def _add_claim(company: Company, visit: Visit) -> Company:
    """Chatwoot's name is shown only where we have none, and is marked as a claim."""
    if company.name:
        return company
    is_only = len(visit.found.candidates) == 1
    return replace(company, claimed=find_claimed_name(visit.conversation, company.id, is_only))


def _make_entry(seal: Seal, candidate: Candidate, views: Sequence[SectionView]) -> AuditEntry:
    return AuditEntry(
        audit_log.SHOWN,
        seal.agent,
        seal.conversation,
        candidate.organization,
        seal.proof,
        candidate.link,
        candidate.source,
        " ".join(view.note for view in views),
    )


def _sign_seal(visit: Visit, candidate: Candidate | None = None) -> str:
    organization, trust = (candidate.organization, candidate.trust) if candidate else (0, UNPROVEN)
    verified = candidate.verified if candidate else None
    token = verified.token if verified else ""
    seal = replace(visit.seal, organization=organization, trust=trust, verification=token)
    return services().seals.sign(seal)
