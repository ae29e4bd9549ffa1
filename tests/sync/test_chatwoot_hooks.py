"""Chatwoot's own webhooks: whom we believe, what is worth a pass, what warms, what is free."""

import hmac
import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from prometheus_client import REGISTRY
from sqlalchemy import and_, event, select, update

from panel.application import stop_work
from panel.data import inbox
from panel.data.tasks import NAMING, WARM_SECONDS, WARMING, Task, tasks
from panel.deliveries import REFUSAL_REASONS
from panel.demo.world import Json
from panel.demo.worlds import serve
from panel.services import Services, get, register
from panel.sync.jobs import Jobs
from tests.conftest import MakePanel, Panel, Worlds, panels_before
from tests.executing import executing
from tests.sync.engine import engine_of, make_engine
from tests.sync.test_jobs import inhabited
from tests.sync.until import until

SECRET = "a-secret-that-chatwoot-made-up"
BUSY = {"last_activity_at": {"previous_value": 1, "current_value": 2}}


@dataclass
class Door:
    """A panel on a socket, and Chatwoot who posts to it."""

    panel: Panel

    @property
    def shared(self) -> Services:
        return self.panel.services

    def post(self, raw: bytes, **headers: str) -> requests.Response:
        url = f"{self.panel.url}/sync/chatwoot"
        told = {"Content-Type": "application/json", **headers}
        return requests.post(url, data=raw, headers=told, timeout=30)

    def tell(self, event: str, delivery: str = "", **fields: Any) -> requests.Response:
        raw = json.dumps({"event": event, "account": {"id": 1}, **fields}).encode()
        return self.post(raw, **signature(raw, delivery=delivery or str(uuid4())))

    def passes(self, event: str, **fields: Any) -> int:
        """How many passes this event lines up."""
        return self.demand(event, **fields)["passes"]

    def demand(self, event: str, **fields: Any) -> dict[str, int]:
        """How many passes and tasks this event asks for."""
        answer = self.tell(event, **fields)
        assert answer.status_code == 202, answer.text
        told: dict[str, Any] = answer.json()
        return {name: told[name] for name in ("passes", "tasks")}

    def contact(self, email: str) -> Json:
        (row,) = [row for row in self.panel.chat.contacts.values() if row["email"] == email]
        return row

    def kept(self) -> list[tuple[int, str, str]]:
        with self.shared.database.connect() as connection:
            columns = select(inbox.hooks.c.organization, inbox.hooks.c.kind)
            rows = connection.execute(columns.add_columns(inbox.hooks.c.hook_id).order_by("seq"))
            return [tuple(row) for row in rows]

    def warmed(self) -> int:
        return len(self.warmings())

    def warmings(self) -> list[str | None]:
        """The try that waits of each organization that was ever warmed."""
        tries = select(tasks.c.waiting).where(tasks.c.kind == WARMING)
        with self.shared.database.connect() as connection:
            return list(connection.scalars(tries))

    def run(self) -> None:
        """What the worker would do for every waiting hook."""
        for organization, _, _ in self.kept():
            get(Jobs, self.panel.app).bring_in_line(organization)


def signature(
    raw: bytes, at: float | None = None, secret: str = SECRET, delivery: str = "d1"
) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    made = hmac.new(secret.encode(), stamp.encode() + b"." + raw, sha256).hexdigest()
    return {
        "X-Chatwoot-Delivery": delivery,
        "X-Chatwoot-Timestamp": stamp,
        "X-Chatwoot-Signature": f"sha256={made}",
    }


@contextmanager
def doors(folder: Path) -> Iterator[MakePanel]:
    office, chat = inhabited()
    servers = serve(office), serve(chat)
    worlds = Worlds(office, chat, servers[0].url, servers[1].url)
    with panels_before(worlds, folder) as make:
        yield make
    for server in servers:
        server.stop()


def opened(make: MakePanel) -> Door:
    """Both organizations are known already; the engine's clock stands still."""
    panel = make(CHATWOOT_WEBHOOK_SECRET=SECRET)
    get(Jobs, panel.app).bring_in_line(42)
    get(Jobs, panel.app).bring_in_line(45)
    engine = make_engine(panel.settings, panel.services.database, clock=panel.clock)
    register(panel.app, engine.queue, engine.intake, engine.worker, engine.tasks)
    panel.chat.forget()
    return Door(panel)


@pytest.fixture
def make_door(tmp_path: Path) -> Iterator[MakePanel]:
    with doors(tmp_path) as make:
        yield make


@pytest.fixture
def door(make_door: MakePanel) -> Door:
    return opened(make_door)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One door for the whole file, for tests that do not look at what it keeps."""
    with doors(tmp_path_factory.mktemp("standing")) as make:
        yield opened(make)


def talk(door: Door, email: str, number: int = 900, **fields: Any) -> Json:
    """A new conversation, as its webhook tells of it."""
    contact = door.contact(email)
    door.panel.chat.add_conversation(contact["id"], 1, number)
    return {"id": number, "inbox_id": 1, "meta": {"sender": contact}, **fields}


def message(door: Door, email: str, **fields: Any) -> Json:
    sender = door.contact(email)
    conversation = {"id": 900, "meta": {"sender": sender}}
    told = {"message_type": "incoming", "private": False, "sender": sender}
    return told | {"conversation": conversation, "content": "Hello?"} | fields


def news(door: Door, email: str, *changed: str, **fields: Any) -> Json:
    """`contact_updated` of a contact, with the keys that changed."""
    values = {"previous_value": None, "current_value": "x"}
    return {
        **door.contact(email),
        "changed_attributes": [{key: values} for key in changed],
    } | fields


# -- whom we believe -----------------------------------------------------------------------------

RAW = b'{"event": "message_created"}'


def test_a_right_signature_is_let_in(standing: Door) -> None:
    assert standing.post(RAW, **signature(RAW)).status_code == 202


def test_a_signature_over_the_body_alone_is_not_enough(standing: Door) -> None:
    made = "sha256=" + hmac.new(SECRET.encode(), RAW, sha256).hexdigest()
    refused(standing.post(RAW, **signature(RAW) | {"X-Chatwoot-Signature": made}))


def test_a_changed_body_is_refused(standing: Door) -> None:
    refused(standing.post(RAW + b" ", **signature(RAW)))


def test_a_changed_stamp_is_refused(standing: Door) -> None:
    stamp = str(int(time.time()) - 1)
    refused(standing.post(RAW, **signature(RAW) | {"X-Chatwoot-Timestamp": stamp}))


@pytest.mark.parametrize("seconds", [-310, 310])
def test_an_old_stamp_and_one_from_the_future_are_refused(standing: Door, seconds: float) -> None:
    answer = standing.post(RAW, **signature(RAW, time.time() + seconds))
    refused(answer, "stale")
    gap = re.search(r"(-?\d+) s$", answer.json()["error"]["detail"])
    assert gap
    assert float(gap[1]) == pytest.approx(seconds, abs=60)


@pytest.mark.parametrize("seconds", [-280, 280])
def test_clocks_may_differ_by_some_minutes(standing: Door, seconds: float) -> None:
    assert standing.post(RAW, **signature(RAW, time.time() + seconds)).status_code == 202


def test_no_headers_are_refused(standing: Door) -> None:
    refused(standing.post(RAW), "unsigned")


@pytest.mark.parametrize("name", ["X-Chatwoot-Timestamp", "X-Chatwoot-Signature"])
@pytest.mark.parametrize("value", ["", "x", "sha256=", "-1", "9" * 400, "²"])
def test_odd_headers_are_refused(standing: Door, name: str, value: str) -> None:
    answer = standing.post(RAW, **signature(RAW) | {name: value.encode().decode("latin-1")})
    refused(answer, "wrong_signature" if value else "unsigned")


def test_another_secret_is_refused(standing: Door) -> None:
    refused(standing.post(RAW, **signature(RAW, secret="another")))


def test_the_secret_of_the_plugin_opens_nothing_here(standing: Door) -> None:
    bearer = f"Bearer {standing.panel.settings.secret}"
    refused(standing.post(RAW, Authorization=bearer), "unsigned")


@pytest.mark.parametrize("secret", ["", SECRET])
def test_without_a_secret_in_the_settings_everything_is_refused(
    make_door: MakePanel, secret: str
) -> None:
    refused(Door(make_door()).post(RAW, **signature(RAW, secret=secret)), "no_secret")


def test_an_old_stamp_is_told_of_whoever_knows_the_secret_alone(standing: Door) -> None:
    refused(standing.post(RAW, **signature(RAW, 1, secret="another")), "wrong_signature")


def refused(answer: requests.Response, code: str = "wrong_signature") -> None:
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == code
    assert SECRET not in answer.text


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"text"', b"[" * 5000])
def test_what_is_no_json_object_is_a_clear_refusal(standing: Door, raw: bytes) -> None:
    answer = standing.post(raw, **signature(raw))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable")


def test_what_is_far_too_large_is_a_clear_refusal(standing: Door) -> None:
    answer = standing.post(b" " * (1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


def test_a_large_body_without_a_signature_is_refused_before_it_is_looked_at(
    standing: Door,
) -> None:
    answer = standing.post(b"[" * 1024 * 1024)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unsigned")


def test_a_refusal_asks_the_database_nothing(standing: Door) -> None:
    """Else whoever has no secret could keep the database busy."""
    asked, sound = list[str](), RAW[:-1] + b"  }"

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    event.listen(standing.shared.database, "before_cursor_execute", note)
    for raw in (RAW, b" " * (1024 * 1024 + 1)):
        assert standing.post(raw).status_code in (401, 413)
        assert standing.post(raw, **signature(sound)).status_code in (401, 413)
    event.remove(standing.shared.database, "before_cursor_execute", note)
    assert [each for each in asked if "deliveries" not in each] == []


def test_a_conversation_with_its_messages_is_not_too_large(standing: Door) -> None:
    fields = message(standing, "ana@acme.example", content="x" * 300_000)
    assert standing.tell("message_created", **fields).status_code == 202


ODD: list[Json] = [
    {},
    {"meta": 7},
    {"meta": {"sender": []}},
    {"meta": {"sender": {"id": "1"}}},
    {"meta": {"sender": {"id": True}}},
    {"meta": {"sender": {"id": 10**30}}},
    {"conversation": []},
    {"conversation": 5},
    {"id": None, "email": 5, "phone_number": []},
    {"id": 10**30, "email": "ana@acme.example"},
    {"changed_attributes": {"email": 1}},
    {"changed_attributes": [["email"], None, {"email": None}]},
]


@pytest.mark.parametrize("fields", ODD, ids=str)
@pytest.mark.parametrize(
    "event", ["conversation_created", "contact_created", "contact_updated", "message_created", "x"]
)
def test_odd_events_break_nothing(standing: Door, event: str, fields: Json) -> None:
    assert standing.tell(event, message_type="incoming", **fields).status_code < 500


UNKEEPABLE = ["ana\x00@acme.example", "ana@acme.example\x00", "ana\ud800@acme.example", "\udfff"]
IDENTIFYING_FIELDS = ("email", "phone_number", "identifier", "id", "name")
IDENTIFYING_EVENTS = ("contact_created", "contact_updated", "conversation_created")


def test_a_nul_and_half_a_character_in_a_webhook_are_nobodys(url: str, tmp_path: Path) -> None:
    """No database keeps them; PostgreSQL takes no NUL even in a question."""
    with doors(tmp_path) as make:
        door = Door(make(CHATWOOT_WEBHOOK_SECRET=SECRET, PANEL_DATABASE_URL=url))
        for value, name, event in product(UNKEEPABLE, IDENTIFYING_FIELDS, IDENTIFYING_EVENTS):
            changed = [{name: {"previous_value": None, "current_value": value}}]
            fields: Json = {"id": 950, name: value, "changed_attributes": changed}
            answer = door.tell(event, **fields)
            assert answer.status_code in (202, 422), (event, name, ascii(value), answer.text)
            assert not answer.json().get("passes")


# -- what is worth a pass ------------------------------------------------------------------------


def test_a_new_conversation_of_a_known_contact_gets_named(door: Door) -> None:
    told = door.demand("conversation_created", **talk(door, "bia@acme.example"))
    assert told == {"passes": 0, "tasks": 1}
    get(Jobs, door.panel.app).do_task(Task(NAMING, 900))
    told = door.panel.chat.conversations[900]["custom_attributes"]
    assert told == {"middag_organization_id": "42", "middag_organization": "Acme"}


def test_a_new_conversation_of_nobody_we_know_costs_nothing(door: Door) -> None:
    door.panel.chat.add_contact(77, name="Zoe", email="zoe@somewhere.example")
    assert door.passes("conversation_created", **talk(door, "zoe@somewhere.example")) == 0


def test_a_new_contact_with_a_known_email_gets_its_attributes(door: Door) -> None:
    """Somebody deleted her contact, and she writes again."""
    del door.panel.chat.contacts[door.contact("bia@acme.example")["id"]]
    anew = door.panel.chat.add_contact(950, name="Bia", email="bia@acme.example")
    fields = anew | {"email": "Bia@Acme.example"}
    assert door.passes("contact_created", **fields) == 1
    door.run()
    assert door.contact("bia@acme.example")["custom_attributes"]["middag_organization_id"] == "42"


def test_a_contact_that_takes_on_a_known_email_gets_its_attributes(door: Door) -> None:
    del door.panel.chat.contacts[door.contact("bia@acme.example")["id"]]
    door.panel.chat.add_contact(950, name="Visitor", email="bia@acme.example")
    assert door.passes("contact_updated", **news(door, "bia@acme.example", "email")) == 1
    door.run()
    assert door.contact("bia@acme.example")["custom_attributes"]["middag_role"] == "member"


def test_a_new_conversation_of_a_person_of_two_organizations_is_left_to_the_agent(
    door: Door,
) -> None:
    told = door.demand("conversation_created", **talk(door, "ana@acme.example"))
    assert told == {"passes": 0, "tasks": 0}


def another_contact(door: Door, email: str) -> Json:
    """Somebody of ours comes through a contact that no pass has seen."""
    return door.contact(email) | {"id": 950}


def test_a_new_conversation_through_another_contact_of_ours_has_a_pass(door: Door) -> None:
    sender = another_contact(door, "bia@acme.example")
    fields = talk(door, "bia@acme.example") | {"meta": {"sender": sender}}
    assert door.demand("conversation_created", **fields) == {"passes": 1, "tasks": 0}


def test_the_same_delivery_twice_is_one(door: Door) -> None:
    fields = another_contact(door, "bia@acme.example")
    for _ in range(3):
        door.tell("contact_created", delivery="d7", **fields)
    assert door.kept() == [(42, "chatwoot.contact_created", "chatwoot:d7:42")]


def test_two_deliveries_are_two(door: Door) -> None:
    for _ in range(2):
        door.tell("contact_created", **another_contact(door, "bia@acme.example"))
    assert len(door.kept()) == 2


# -- what is seen of it afterwards -----------------------------------------------------------------


def counted(answer: str) -> float:
    labels = {"answer": answer}
    return REGISTRY.get_sample_value("panel_chatwoot_webhooks_total", labels) or 0.0


def send(door: Door, reason: str) -> requests.Response:
    """A delivery that is refused for this reason, or accepted."""
    other = {"wrong_signature": signature(RAW, secret="another"), "unsigned": {}}
    if reason in other:
        return door.post(RAW, **other[reason])
    if reason == "stale":
        return door.post(RAW, **signature(RAW, time.time() - 400))
    if reason == "too_large":
        return door.post(b" " * (1024 * 1024 + 1))
    raw = b"[]" if reason == "unreadable" else RAW
    return door.post(raw, **signature(raw))


def status_of(door: Door) -> Any:
    """What `sync status` says of the webhooks; `is_problem`: are they one of its problems?"""
    told = door.panel.app.test_cli_runner().invoke(args=["sync", "status", "--json"])
    state = json.loads(told.stdout)
    is_problem = any("What Chatwoot delivers" in each for each in state["problems"])
    return state["chatwoot_webhooks"] | {"is_problem": is_problem}


def ready_of(door: Door) -> tuple[str, str, str]:
    """What `/readyz` says: as a whole, in a word, and in a sentence."""
    with executing(door.panel.services.database):
        body = door.panel.ask("GET", "/readyz").json()
    name = "chatwoot_webhooks"
    return body["status"], body["parts"][name], body["details"][name]


@pytest.mark.parametrize("reason", ["unsigned", "wrong_signature", "stale"])
def test_a_webhook_that_is_refused_is_seen(
    door: Door, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    before = counted(reason)
    for _ in range(14):
        refused(send(door, reason), reason)
    words = REFUSAL_REASONS[reason].words
    assert counted(reason) - before == 14
    [line] = [each.getMessage() for each in caplog.records if "webhook" in each.getMessage()]
    assert words in line
    assert REFUSAL_REASONS[reason].advice in line
    overall, word, detail = ready_of(door)
    assert (overall, word) == ("degraded", "refused")
    assert f"refused: {words}, 14 in the last hour; none was ever accepted" in detail
    status = status_of(door)
    assert (status["state"], status["detail"], status["is_problem"]) == ("refused", detail, True)
    assert status["refused"][reason]["count"] == 14
    assert (
        f"of Chatwoot: {detail}"
        in door.panel.app.test_cli_runner().invoke(args=["sync", "status"]).stdout
    )


@pytest.mark.parametrize("reason", ["too_large", "unreadable"])
def test_a_single_delivery_that_cannot_be_read_is_seen_and_alarms_nobody(
    door: Door, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    before = counted(reason)
    send(door, "accepted")
    send(door, reason)
    assert counted(reason) - before == 1
    assert REFUSAL_REASONS[reason].words in caplog.text
    overall, word, detail = ready_of(door)
    assert (overall, word) == ("ready", "ok")
    assert f"refused: {REFUSAL_REASONS[reason].words}, 1 in the last hour" in detail


def test_a_webhook_that_cannot_be_kept_is_seen(
    door: Door, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fields, before = talk(door, "bia@acme.example"), counted("not_kept")
    (tmp_path / "panel.db.writing.lock").unlink(missing_ok=True)
    (tmp_path / "panel.db.writing.lock").mkdir()  # nobody can lock it: no hook can be written
    answer = door.tell("conversation_created", **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_kept")
    assert counted("not_kept") - before == 1
    assert "not kept" in caplog.text
    assert ready_of(door)[:2] == ("degraded", "refused")


def test_webhooks_without_a_secret_here_are_seen(make_door: MakePanel) -> None:
    door = Door(make_door())
    assert ready_of(door)[:2] == ("ready", "unused")
    assert ready_of(door)[2] == "no secret set; none has ever come"
    send(door, "accepted")
    overall, word, detail = ready_of(door)
    assert (overall, word) == ("degraded", "refused")
    assert "no secret set, 1 in the last hour" in detail
    assert status_of(door)["state"] == "refused"


def test_webhooks_that_never_came_are_missed_where_a_secret_is_set(door: Door) -> None:
    assert ready_of(door) == ("degraded", "never", "none has ever come")
    assert status_of(door) == {
        "state": "never",
        "detail": "none has ever come",
        "last_accepted": None,
        "refused": {},
        "is_problem": True,
    }


def test_an_accepted_webhook_ends_the_alarm_and_a_refused_one_begins_it(door: Door) -> None:
    send(door, "wrong_signature")
    send(door, "accepted")
    assert ready_of(door)[:2] == ("ready", "ok")
    assert ready_of(door)[2].startswith("ok, last accepted just now")
    assert status_of(door)["last_accepted"] == pytest.approx(time.time(), abs=60)
    assert status_of(door)["is_problem"] is False
    send(door, "wrong_signature")
    assert ready_of(door)[:2] == ("degraded", "refused")
    assert "last accepted just now" in ready_of(door)[2]


def test_a_secret_that_was_lost_is_missed_before_the_next_webhook(make_door: MakePanel) -> None:
    send(Door(make_door(CHATWOOT_WEBHOOK_SECRET=SECRET)), "accepted")
    door = Door(make_door())
    assert ready_of(door)[:2] == ("degraded", "no_secret")
    assert ready_of(door)[2] == "no secret set; last accepted just now"


def test_what_one_process_refused_is_told_by_another_and_after_a_restart(
    make_door: MakePanel,
) -> None:
    """One write at once, the rest when the process ends: nobody has to wait for the next."""
    first = Door(make_door(CHATWOOT_WEBHOOK_SECRET=SECRET))
    for _ in range(3):
        send(first, "unsigned")
    stop_work(first.panel.app)
    second = Door(make_door(CHATWOOT_WEBHOOK_SECRET=SECRET))
    assert status_of(second)["refused"]["unsigned"]["count"] == 3


def test_refusals_do_not_write_to_the_database_each(door: Door) -> None:
    statements: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        statements.append(statement)

    for engine in (door.shared.database, door.shared.deliveries._engine):
        event.listen(engine, "before_cursor_execute", note)
    for reason in ("unsigned", "wrong_signature") * 30:
        send(door, reason)
    assert len([each for each in statements if "INSERT" in each]) < 10
    assert sum(row["count"] for row in status_of(door)["refused"].values()) == 60


def test_every_answer_is_a_series_from_the_start(door: Door) -> None:
    text = door.panel.ask("GET", "/metrics").text
    for answer in (*REFUSED_ANSWERS, "accepted"):
        assert f'panel_chatwoot_webhooks_total{{answer="{answer}"}}' in text


REFUSED_ANSWERS = (
    *("no_secret", "unsigned", "wrong_signature", "stale"),
    *("too_large", "unreadable", "not_kept"),
)


# -- what costs nothing --------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [["last_activity_at"], ["last_activity_at", "updated_at"], []])
def test_mere_activity_costs_nothing(door: Door, changed: list[str]) -> None:
    for _ in range(5):
        assert door.passes("contact_updated", **news(door, "ana@acme.example", *changed)) == 0
    assert door.kept() == []


def test_our_own_echoes_cost_nothing(door: Door) -> None:
    for row in list(door.panel.chat.contacts.values()):
        assert door.passes("contact_created", **row) == 0
        values = ["custom_attributes", "identifier", "email", "phone_number", "name"]
        assert door.passes("contact_updated", **news(door, row["email"], *values)) == 0
    assert (door.kept(), door.warmed(), door.panel.chat.calls) == ([], 0, [])


@pytest.mark.parametrize(
    "event",
    [
        *("conversation_updated", "conversation_status_changed"),
        *("contact_deleted", "webwidget_triggered"),
    ],
)
def test_other_events_cost_nothing(door: Door, event: str) -> None:
    assert door.passes(event, **talk(door, "ana@acme.example")) == 0
    assert (door.kept(), door.warmed()) == ([], 0)


# -- what warms ----------------------------------------------------------------------------------


def test_a_customers_messages_warm_once_a_minute(door: Door) -> None:
    for _ in range(5):
        door.tell("message_created", **message(door, "bia@acme.example"))
    assert (door.warmed(), door.kept()) == (1, [])
    (first,) = door.warmings()
    # As the worker leaves it when it is done.
    with door.shared.database.begin() as connection:
        connection.execute(update(tasks).values(waiting=None, done_at=door.panel.clock()))
    door.tell("message_created", **message(door, "bia@acme.example"))
    assert door.warmings() == [None]
    door.panel.clock.advance(WARM_SECONDS)
    door.tell("message_created", **message(door, "bia@acme.example"))
    assert door.warmings() not in ([None], [first])


def finish_warmings(door: Door) -> list[int]:
    """As the worker leaves those that wait when they are done; returns of whom they are."""
    with door.shared.database.begin() as connection:
        here = and_(tasks.c.kind == WARMING, tasks.c.waiting.is_not(None))
        waiting = list(connection.scalars(select(tasks.c.number).where(here)))
        ended = {"waiting": None, "done_at": door.panel.clock()}
        connection.execute(update(tasks).where(here).values(**ended))
    return waiting


def test_a_burst_of_messages_warms_each_customer_once_in_a_time_to_live(door: Door) -> None:
    warmed = Counter[int]()
    for _ in range(6):
        for email in ("bia@acme.example", "ana@acme.example") * 5:
            door.tell("message_created", **message(door, email))
        warmed.update(finish_warmings(door))
        door.panel.clock.advance(WARM_SECONDS / 7)
    assert warmed == {42: 1, 45: 1}
    door.panel.clock.advance(WARM_SECONDS)
    door.tell("message_created", **message(door, "ana@acme.example"))
    assert sorted(finish_warmings(door)) == [42, 45]


def test_a_message_warms_each_organization_of_the_person(door: Door) -> None:
    door.tell("message_created", **message(door, "ana@acme.example"))
    assert door.warmed() == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"message_type": "outgoing"},
        {"message_type": "template"},
        {"message_type": "outgoing", "private": True},
        {"private": True},
    ],
    ids=str,
)
def test_an_agents_message_and_a_note_warm_nothing(door: Door, fields: Json) -> None:
    door.tell("message_created", **message(door, "bia@acme.example", **fields))
    assert (door.warmed(), door.kept()) == (0, [])


def test_a_new_conversation_warms_too(door: Door) -> None:
    door.tell("conversation_created", **talk(door, "bia@acme.example"))
    assert door.warmed() == 1


def test_the_worker_has_the_copies_there_before_the_agent_opens(door: Door) -> None:
    engine, jobs = engine_of(door.panel.app), get(Jobs, door.panel.app)
    engine.worker.start(jobs.bring_in_line, None, jobs.warm)
    door.panel.office.forget()
    door.tell("message_created", **message(door, "bia@acme.example"))
    until(lambda: door.panel.office.count("/quotes") and door.panel.office.count("/licenses"))
    until(lambda: door.warmings() == [None])
    until(lambda: not engine.queue.client.list_workflows(status="PENDING"))
    engine.worker.stop()
    assert sorted(call.path.rpartition("/")[2] for call in door.panel.office.calls) == [
        *("42", "licenses", "orders", "quotes"),
    ]
