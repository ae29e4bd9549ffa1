"""The plan of setup: the steps from what stands in Chatwoot to what the panel needs, or to nothing.

A second run finds nothing to do. What is not ours is never touched, and what an administrator added
to ours (values of a list, subscriptions, another title) stays.
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
GUESSABLE_PART = "middag:"  # in every identifier of earlier versions, in none of today's
SIGNING_VERSION = (4, 11, 2)  # of Chatwoot: the first that signs its webhooks


@dataclass(frozen=True)
class Exposure:
    """What a visitor of the website can still find out, for an administrator.

    `open_inboxes`: names of inboxes where a visitor may say to be anybody, as far as Chatwoot
    tells; `identifiers`: how many contacts there have one of the form of earlier versions;
    `waiting`: how many such stand in our own table, where there is one.
    """

    open_inboxes: tuple[str, ...]
    identifiers: int
    waiting: int | None


@dataclass(frozen=True)
class Step:
    """`verb`: create, correct, move or remove; `by_hand`: what to click where we may not write.

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
    `claim`: what is to become of the account's mark.
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
        """Does this Chatwoot sign its webhooks? One that does not say its version is taken to."""
        return not self._survey.version or self._survey.version >= SIGNING_VERSION

    def plan(self) -> list[Step]:
        """What is missing or wrong. What may not even be read is planned as missing."""
        first = (*self._plan_definitions(), *self._plan_app(), *self._plan_identifiers())
        # Last: whatever fails before it can be mended before there is a secret to be set.
        return [*first, *self._plan_webhook()]

    def plan_removal(self) -> Iterator[Step]:
        """Everything of ours that stands in Chatwoot. Values stay in the contacts.

        The definitions stay where another installation writes those values.
        """
        found = self._survey
        for row in found.definitions if self._claim.is_ours else ():
            yield _make_removal("custom_attribute_definitions", row)
        for row in (*found.apps, *found.former_apps):
            yield _make_removal("dashboard_apps", row)
        for row in (*found.webhooks, *found.former_webhooks):
            yield _make_removal("webhooks", row)

    def find_exposure(self, steps: list[Step]) -> Exposure:
        """What is left after these steps; what a token may not read is not counted."""
        with name_step("listing inboxes"):
            listed = read_rows(self._chatwoot.administer("GET", "inboxes"))
        rows = [row for row in listed if row.get("channel_type") in SIGNABLE]
        names = [str(row.get("name")) for row in rows if row.get("hmac_mandatory") is not True]
        waiting = self._directory.count_guessable() if self._directory else None
        removed = sum(step.path.startswith("contacts/") for step in steps)
        with name_step("counting identifiers"):
            left = self._chatwoot.count_identifiers(GUESSABLE_PART) - removed
        return Exposure(tuple(names), left, waiting)

    # -- its parts -------------------------------------------------------------------------------

    def _plan_definitions(self) -> Iterator[Step]:
        present = {
            (row.get("attribute_model"), row.get("attribute_key")): row
            for row in self._survey.definitions
        }
        for defined in DEFINITIONS:
            row = present.get((MODELS[defined.model], defined.key))
            wanted = self._claim.describe(defined, row)
            if row is None:
                yield _make_definition("create", wanted, "POST", "custom_attribute_definitions")
            elif wanted.description not in ("", row.get("attribute_description")):
                path = f"custom_attribute_definitions/{row['id']}"
                step = _make_definition("correct", wanted, "PATCH", path, row)
                yield replace(step, verb="mark", what=f"this account as written by {self._claim}")
            elif row.get("attribute_display_type") != TYPES[wanted.type] or _list_missing(
                row.get("attribute_values"), wanted.values
            ):
                path = f"custom_attribute_definitions/{row['id']}"
                yield _make_definition("correct", wanted, "PATCH", path, row)

    def _plan_app(self) -> Iterator[Step]:
        url = make_launch_url(self._settings, self._settings.panel_url)
        by_hand = f"Settings > Integrations > Dashboard apps > Add: {TITLE}, with the address that"
        by_hand += " `flask --app app launch-url` prints"
        content = [{"type": "frame", "url": url}]
        what = f"dashboard app {TITLE}"
        here, former = self._survey.apps, list(self._survey.former_apps)
        if not here and not former:
            body: SettingRow = {"dashboard_app": {"title": TITLE, "content": content}}
            yield Step("create", what, by_hand, "POST", "dashboard_apps", body)
        elif all(row.get("content") != content for row in here):
            row = here[0] if here else former.pop(0)
            verb, where = ("correct", "") if here else ("move", f" to {self._settings.panel_url}")
            changed: SettingRow = {"title": row.get("title"), "content": content}
            path = f"dashboard_apps/{row['id']}"
            body = {"dashboard_app": changed}
            yield Step(verb, what + where, by_hand, "PATCH", path, body)
        yield from (_make_removal("dashboard_apps", row) for row in former)

    def _plan_webhook(self) -> Iterator[Step]:
        url = f"{self._settings.panel_url}{WEBHOOK_PATH}"
        by_hand = f"Settings > Integrations > Webhooks > Add: {url} with {', '.join(EVENTS)}"
        here, former = self._survey.webhooks, list(self._survey.former_webhooks)
        what = f"webhook to {url}"
        if not here and not former:
            if self.is_signing:  # what is not signed is refused: a webhook would bring nothing
                body: SettingRow = {"webhook": {"url": url, "name": TITLE, "subscriptions": EVENTS}}
                yield Step("create", what, by_hand, "POST", "webhooks", body, tells_secret=True)
            return
        row = here[0] if here else former.pop(0)
        events = list(row.get("subscriptions") or [])
        if not here or _list_missing(events, EVENTS):
            # Moved, and not made anew: its secret stays, and so does CHATWOOT_WEBHOOK_SECRET.
            where = "" if here else f" from {row.get('url')}"
            changed: SettingRow = {"url": url, "name": row.get("name") or TITLE}
            changed["subscriptions"] = [*events, *_list_missing(events, EVENTS)]
            verb, path = "correct" if here else "move", f"webhooks/{row['id']}"
            yield Step(verb, what + where, by_hand, "PATCH", path, {"webhook": changed})
        yield from (_make_removal("webhooks", row) for row in former)

    def _plan_identifiers(self) -> Iterator[Step]:
        """Guessable ones that no pass comes to: of who left, or a visitor wrote them."""
        if not self._directory:
            return
        with name_step("looking for guessable identifiers"):
            listed = self._chatwoot.list_identifiers(GUESSABLE_PART)
        guessable = {number for number, text in listed.items() if is_guessable(text)}
        for number in sorted(guessable - self._directory.find_seated(guessable)):
            by_hand = f"set the identifier of contact {number} to null, through Chatwoot's API"
            what, path = f"guessable identifier of contact {number}", f"contacts/{number}"
            yield Step("remove", what, by_hand, "PUT", path, {"identifier": None})


def _list_missing(present: Any, wanted: Iterable[str]) -> list[str]:
    found = present if isinstance(present, list) else []
    return [value for value in wanted if value not in found]


def _make_definition(
    verb: str, wanted: Definition, method: str, path: str, row: SettingRow | None = None
) -> Step:
    """`row`: as it stands, where it does."""
    model = MODELS[wanted.model].removesuffix("_attribute")
    present = list((row or {}).get("attribute_values") or [])
    body = {
        "attribute_model": wanted.model,
        "attribute_key": wanted.key,
        "attribute_display_name": (row or {}).get("attribute_display_name") or wanted.name,
        "attribute_display_type": wanted.type,
        "attribute_values": [*present, *_list_missing(present, wanted.values)],
    }
    if wanted.description:
        body["attribute_description"] = wanted.description
    by_hand = f"Settings > Custom attributes > {model.title()} > Add: key {wanted.key}, "
    by_hand += f"type {TYPES[wanted.type]}"
    by_hand += f" with the values {', '.join(wanted.values)}" if wanted.values else ""
    by_hand += f', description "{wanted.description}"' if wanted.description else ""
    what = f"{model} attribute {wanted.key}"
    return Step(verb, what, by_hand, method, path, {"custom_attribute_definition": body})


def _make_removal(path: str, row: SettingRow) -> Step:
    what = _describe_row(row)
    return Step("remove", what, f"remove the {what}", "DELETE", f"{path}/{row['id']}")


def _describe_row(row: SettingRow) -> str:
    if "attribute_key" in row:
        model = str(row.get("attribute_model")).removesuffix("_attribute")
        return f"{model} attribute {row['attribute_key']}"
    if "content" in row:
        # Without the launch key, which is as good as a password.
        return f"dashboard app {row.get('title')} at {list_addresses(row)[0].partition('#')[0]}"
    return f"webhook to {row.get('url')}"
