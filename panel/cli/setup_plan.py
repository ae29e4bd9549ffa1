"""The plan of setup: the steps from the present rows in Chatwoot to the rows that the panel needs,
or to none of ours.

A second run finds nothing to do. Other people's rows are never touched, and an administrator's
additions to ours (values of a list, subscriptions, another title) stay.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from panel.auth.tokens import make_launch_url
from panel.cli.claim import Claim
from panel.cli.definitions import (
    DEFINITIONS,
    EVENTS,
    MODELS,
    TITLE,
    TYPES,
    WEBHOOK_PATH,
    Definition,
)
from panel.cli.survey import SettingRow, Survey, list_addresses, name_step, read_rows
from panel.data.directory import Directory
from panel.settings import Settings
from panel.sync.people import is_guessable
from panel.upstream.chatwoot import Chatwoot

SIGNABLE = ("Channel::WebWidget", "Channel::Api")  # where a visitor's identifier can be signed
GUESSABLE_PART = "middag:"  # all identifiers of earlier versions contain it, today's do not
SIGNING_VERSION = (4, 11, 2)  # the first version of Chatwoot that signs its webhooks


@dataclass(frozen=True)
class Exposure:
    """The remaining exposure to visitors of the website, for an administrator.

    `open_inboxes`: names of inboxes where a visitor may claim to be anybody, as far as Chatwoot
    tells; `identifiers`: the number of contacts there with a guessable identifier; `waiting`: the
    number of those in our own table, None without a database.
    """

    open_inboxes: tuple[str, ...]
    identifiers: int
    waiting: int | None


@dataclass(frozen=True)
class Step:
    """`verb`: create, correct, move or remove; `by_hand`: the way through Chatwoot's settings,
    where we may not write.

    `tells_secret`: Chatwoot's answer holds the webhook's new secret.
    """

    verb: str
    what: str
    by_hand: str
    method: str
    path: str
    body: Any = None
    tells_secret: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


class Planner:
    """Every method raises `StepFailed` where Chatwoot cannot be asked.

    `directory`: none where there is no database of this version; setup is done without one, too.
    `claim`: the decision about the account's mark.
    """

    def __init__(
        self,
        settings: Settings,
        chatwoot: Chatwoot,
        directory: Directory | None,
        survey: Survey,
        claim: Claim,
    ) -> None:
        self._settings = settings
        self._chatwoot = chatwoot
        self._directory = directory
        self._survey = survey
        self._claim = claim

    @property
    def has_database(self) -> bool:
        return self._directory is not None

    @property
    def is_signing(self) -> bool:
        """Tell whether this Chatwoot signs its webhooks. An unknown version is assumed to sign."""
        return not self._survey.version or self._survey.version >= SIGNING_VERSION

    def plan(self) -> list[Step]:
        """Return the steps for missing or wrong rows. Rows that may not be read count as
        missing."""
        first = (*self._plan_definitions(), *self._plan_app(), *self._plan_identifiers())
        # The webhook comes last: earlier failures can be mended before a secret has to be set.
        return [*first, *self._plan_webhook()]

    def plan_removal(self) -> Iterator[Step]:
        """Yield steps to remove our rows from Chatwoot. Values stay in the contacts.

        The definitions stay where another installation writes those values.
        """
        survey = self._survey
        for row in survey.definitions if self._claim.is_ours else ():
            yield _make_removal("custom_attribute_definitions", row)
        for row in (*survey.apps, *survey.former_apps):
            yield _make_removal("dashboard_apps", row)
        for row in (*survey.webhooks, *survey.former_webhooks):
            yield _make_removal("webhooks", row)

    def find_exposure(self, steps: list[Step]) -> Exposure:
        """Return the exposure after these steps, as far as the token may read."""
        with name_step("listing inboxes"):
            inboxes = read_rows(self._chatwoot.administer("GET", "inboxes"))
        rows = [row for row in inboxes if row.get("channel_type") in SIGNABLE]
        names = [str(row.get("name")) for row in rows if row.get("hmac_mandatory") is not True]
        waiting = self._directory.count_guessable() if self._directory else None
        removals = sum(step.path.startswith("contacts/") for step in steps)
        with name_step("counting identifiers"):
            remaining = self._chatwoot.count_identifiers(GUESSABLE_PART) - removals
        return Exposure(tuple(names), remaining, waiting)

    # -- its parts -------------------------------------------------------------------------------

    def _plan_definitions(self) -> Iterator[Step]:
        present = {
            (row.get("attribute_model"), row.get("attribute_key")): row
            for row in self._survey.definitions
        }
        for defined in DEFINITIONS:
            row = present.get((MODELS[defined.model], defined.key))
            definition = self._claim.describe(defined, row)
            if row is None:
                yield _make_definition("create", definition, "POST", "custom_attribute_definitions")
            elif definition.description not in ("", row.get("attribute_description")):
                path = f"custom_attribute_definitions/{row['id']}"
                step = _make_definition("correct", definition, "PATCH", path, row)
                yield replace(step, verb="mark", what=f"this account as written by {self._claim}")
            elif row.get("attribute_display_type") != TYPES[definition.type] or _list_missing(
                row.get("attribute_values"), definition.values
            ):
                path = f"custom_attribute_definitions/{row['id']}"
                yield _make_definition("correct", definition, "PATCH", path, row)

    def _plan_app(self) -> Iterator[Step]:
        url = make_launch_url(self._settings, self._settings.panel_url)
        by_hand = f"Settings > Integrations > Dashboard apps > Add: {TITLE}, with the address that"
        by_hand += " `flask --app app launch-url` prints"
        content = [{"type": "frame", "url": url}]
        what = f"dashboard app {TITLE}"
        present, former = self._survey.apps, list(self._survey.former_apps)
        if not present and not former:
            body: SettingRow = {"dashboard_app": {"title": TITLE, "content": content}}
            yield Step("create", what, by_hand, "POST", "dashboard_apps", body)
        elif all(row.get("content") != content for row in present):
            row = present[0] if present else former.pop(0)
            verb, where = (
                ("correct", "") if present else ("move", f" to {self._settings.panel_url}")
            )
            fields: SettingRow = {"title": row.get("title"), "content": content}
            path = f"dashboard_apps/{row['id']}"
            body = {"dashboard_app": fields}
            yield Step(verb, what + where, by_hand, "PATCH", path, body)
        yield from (_make_removal("dashboard_apps", row) for row in former)

    def _plan_webhook(self) -> Iterator[Step]:
        url = f"{self._settings.panel_url}{WEBHOOK_PATH}"
        by_hand = f"Settings > Integrations > Webhooks > Add: {url} with {', '.join(EVENTS)}"
        present, former = self._survey.webhooks, list(self._survey.former_webhooks)
        what = f"webhook to {url}"
        if not present and not former:
            if self.is_signing:  # unsigned webhooks are refused, so a webhook would be useless
                body: SettingRow = {"webhook": {"url": url, "name": TITLE, "subscriptions": EVENTS}}
                yield Step("create", what, by_hand, "POST", "webhooks", body, tells_secret=True)
            return
        row = present[0] if present else former.pop(0)
        events = list(row.get("subscriptions") or [])
        if not present or _list_missing(events, EVENTS):
            # The webhook is moved, not made anew. So its secret stays, and CHATWOOT_WEBHOOK_SECRET
            # stays right.
            where = "" if present else f" from {row.get('url')}"
            fields: SettingRow = {"url": url, "name": row.get("name") or TITLE}
            fields["subscriptions"] = [*events, *_list_missing(events, EVENTS)]
            verb, path = "correct" if present else "move", f"webhooks/{row['id']}"
            yield Step(verb, what + where, by_hand, "PATCH", path, {"webhook": fields})
        yield from (_make_removal("webhooks", row) for row in former)

    def _plan_identifiers(self) -> Iterator[Step]:
        """Yield steps for guessable identifiers that no pass removes: those of people who left, and
        those that a visitor wrote."""
        if not self._directory:
            return
        with name_step("looking for guessable identifiers"):
            identifiers = self._chatwoot.list_identifiers(GUESSABLE_PART)
        guessable = {number for number, text in identifiers.items() if is_guessable(text)}
        for number in sorted(guessable - self._directory.find_seated(guessable)):
            by_hand = f"set the identifier of contact {number} to null, through Chatwoot's API"
            what, path = f"guessable identifier of contact {number}", f"contacts/{number}"
            yield Step("remove", what, by_hand, "PUT", path, {"identifier": None})


def _list_missing(present: Any, values: Iterable[str]) -> list[str]:
    items = present if isinstance(present, list) else []
    return [value for value in values if value not in items]


def _make_definition(
    verb: str, definition: Definition, method: str, path: str, row: SettingRow | None = None
) -> Step:
    """Make the step for a definition; `row`: the present definition, if there is one."""
    model = MODELS[definition.model].removesuffix("_attribute")
    present = list((row or {}).get("attribute_values") or [])
    body = {
        "attribute_model": definition.model,
        "attribute_key": definition.key,
        "attribute_display_name": (row or {}).get("attribute_display_name") or definition.name,
        "attribute_display_type": definition.type,
        "attribute_values": [*present, *_list_missing(present, definition.values)],
    }
    if definition.description:
        body["attribute_description"] = definition.description
    by_hand = f"Settings > Custom attributes > {model.title()} > Add: key {definition.key}, "
    by_hand += f"type {TYPES[definition.type]}"
    by_hand += f" with the values {', '.join(definition.values)}" if definition.values else ""
    by_hand += f', description "{definition.description}"' if definition.description else ""
    what = f"{model} attribute {definition.key}"
    return Step(verb, what, by_hand, method, path, {"custom_attribute_definition": body})


def _make_removal(path: str, row: SettingRow) -> Step:
    what = _describe_row(row)
    return Step("remove", what, f"remove the {what}", "DELETE", f"{path}/{row['id']}")


def _describe_row(row: SettingRow) -> str:
    if "attribute_key" in row:
        model = str(row.get("attribute_model")).removesuffix("_attribute")
        return f"{model} attribute {row['attribute_key']}"
    if "content" in row:
        # The launch key is left out, because it is as good as a password.
        return f"dashboard app {row.get('title')} at {list_addresses(row)[0].partition('#')[0]}"
    return f"webhook to {row.get('url')}"
