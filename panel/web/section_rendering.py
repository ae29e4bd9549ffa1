"""Rendering of one section: its view of the kept copy, and its HTML, which agents share.

The HTML of a section is shared by all agents who are shown the same, so its key names all that the
HTML depends on.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import render_template, request
from markupsafe import Markup

from panel import metrics
from panel.errors import PanelError
from panel.services import services
from panel.web.groups import Moment
from panel.web.rendering import choose_formats
from panel.web.sections import Section, SectionView, make_failed_view, make_loading_view, make_view


@dataclass(frozen=True)
class SharedKey:
    """All that the HTML of a section depends on. No field tells one agent from another.

    `version` names the copy that was read and `second` the moment: both decide the selection.
    """

    organization: int
    section: str
    state: str
    version: str
    read_at: float | None
    code: str
    retry_at: float | None
    follow: bool
    masked: frozenset[str]
    whole: bool
    collapsed: bool
    locale: str
    script_root: str
    second: int


def render_section(view: SectionView, organization: int, own_seal: str = "") -> Markup:
    """Render one section, once a second for all agents who are shown the same.

    A touch makes every open panel of an organization ask for it at once. `own_seal`: the seal of
    the one agent who may see the values. Such a section is shared with no other agent. Nor is a
    section that shows a code, for the id of the request stands beside it.
    """
    metrics.find_series(metrics.SECTIONS_SHOWN, view.section.name, view.state).inc()
    now, rendered = time.time(), services().rendered
    if own_seal or view.tells_code:
        return _render_view(view, now, own_seal)
    key = make_shared_key(view, organization, now)
    html = rendered.get(key)
    if html is None:
        html = _render_view(view, now)
        rendered.put(key, html, now + 1)
    return html


def make_shared_key(view: SectionView, organization: int, now: float) -> SharedKey:
    return SharedKey(
        organization=organization,
        section=view.section.name,
        state=view.state,
        version=view.version,
        read_at=view.read_at,
        code=view.code,
        retry_at=view.retry_at,
        follow=view.follow,
        masked=view.masked,
        whole=view.whole,
        collapsed=view.collapsed,
        locale=choose_formats().locale,
        script_root=request.script_root,
        second=int(now),
    )


def _render_view(view: SectionView, now: float, own_seal: str = "") -> Markup:
    html = render_template(
        view.section.template, view=view, moment=read_moment(), now=now, uncovered=own_seal
    )
    return Markup(html)  # noqa: S704 (our own template made it)


def peek_view(section: Section, organization: int, masked: frozenset[str]) -> SectionView:
    """Make a view of the kept copy; without a copy the section loads itself."""
    try:
        reading = services().back_office.peek(section.document, organization)
    except PanelError as error:
        return make_failed_view(section, error, read_version(section, organization))
    return (
        make_view(section, reading, read_moment(), masked)
        if reading
        else make_loading_view(section)
    )


def read_version(section: Section, organization: int) -> str:
    return services().cache.version(services().back_office.resource(section.document, organization))


def read_moment() -> Moment:
    settings = services().settings
    second = datetime.now(UTC).replace(microsecond=0)  # answers of the same second are shared
    return Moment(second.astimezone(settings.timezone), settings.expiring_days)
