"""Recent changes: the hooks that were kept since the customer last had an answer."""

import re
import time
from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import event, insert, update

from panel.data.audit_log import access_log
from panel.data.inbox import hooks
from panel.data.recent import Recent, RecentHook
from panel.demo.worlds import SECRET
from panel.sync.events import KINDS
from panel.web.recent import MOST_TOLD, WORDS, list_changes
from tests.conftest import Panel, attribute, rows_of, seal_of, words_of

DAY = 86400
_numbers = count(1)


def ring(panel: Panel, kind: str, subject: object, organization: int = 42) -> None:
    """Send a hook of the plugin to its route."""
    data = {"organization_id": organization, "id": subject}
    moment = datetime.now(UTC).isoformat()
    body = {"event": kind, "timestamp": moment, "data": data, "id": f"recent-{next(_numbers)}"}
    assert panel.ask("POST", "/sync/hooks", SECRET, json=body).status_code == 202


def recent(panel: Panel, scenario: str = "healthy", language: str = "en") -> str:
    """Return the line; empty where there is none."""
    headers = {"Accept-Language": language}
    key = panel.open(scenario).request.headers["Authorization"].split()[1]
    page = panel.ask("POST", "/contact", key, data=panel.hints(scenario), headers=headers).text
    match = re.search(r'<p id="recent".*?</p>', page, re.DOTALL)
    return words_of(match[0]) if match else ""


def set_moments(panel: Panel, waits: float | None, answered_at: float | None = None) -> None:
    """Set the beginning of the customer's wait, or the moment of an agent's answer after which
    nobody waits."""
    talk = panel.chat.conversations[101]
    talk["created_at"] = int(time.time() - 30 * DAY)
    items = [{**talk["messages"][0], "created_at": int(waits)}] if waits else []
    if answered_at:
        items = [{**talk["messages"][1], "created_at": int(answered_at)}]
    talk["messages"], talk["last_activity_at"] = items, int(answered_at or waits or 0)


def show(panel: Panel, at: float, organization: int = 42, kind: str = "shown") -> None:
    """Write a row of the access log: an agent was shown the company then."""
    row = {"at": at, "what": kind, "agent": 3, "conversation": 9, "organization": organization}
    row |= dict.fromkeys(("proof", "link", "source", "note"), "")
    with panel.services.database.begin() as connection:
        connection.execute(insert(access_log), row)


def date_hooks(panel: Panel, at: float) -> None:
    with panel.services.database.begin() as connection:
        connection.execute(update(hooks).values(received_at=at))


def test_without_hooks_there_is_no_line(panel: Panel) -> None:
    assert 'id="recent"' not in panel.open().text


def test_the_line_says_since_when_and_what_changed(panel: Panel) -> None:
    ring(panel, "order.paid", 501)
    ring(panel, "license.activated", 601)
    now = datetime.now(panel.settings.timezone)
    panel.chat.conversations[101]["created_at"] = int(time.time() - 60 * DAY)
    set_moments(panel, waits=time.time() - 60)
    day = datetime.fromtimestamp(time.time() - 30 * DAY, panel.settings.timezone)
    line = recent(panel)
    assert f"Since {day:%b} {day.day}, {day.year}: " in line, (line, now)
    assert line.endswith("license 601 activated, order 501 paid")
    assert recent(panel, language="pt-BR").endswith("licença 601 ativada, pedido 501 pago")


def test_it_is_told_since_the_company_was_opened_before_the_customer_began_to_wait(
    panel: Panel,
) -> None:
    set_moments(panel, waits=time.time() - DAY)
    ring(panel, "order.paid", 501)
    date_hooks(panel, time.time() - 5 * DAY)
    # The panel was never opened, so changes count from the conversation's beginning.
    assert "order 501 paid" in recent(panel)
    show(panel, time.time() - 6 * DAY)
    show(panel, time.time() - 3 * DAY, organization=43)
    show(panel, time.time() - 3 * DAY, kind="uncovered")
    show(panel, time.time() - 60)  # the same question of the customer, opened again
    assert "order 501 paid" in recent(panel)
    show(panel, time.time() - 4 * DAY)
    assert recent(panel) == ""


def test_where_nobody_waits_it_is_told_since_the_last_answer(panel: Panel) -> None:
    set_moments(panel, None, answered_at=time.time() - 2 * DAY)
    ring(panel, "quote.accepted", 4202)
    date_hooks(panel, time.time() - 3 * DAY)
    assert recent(panel) == ""
    date_hooks(panel, time.time() - DAY)
    assert "quote 4202 accepted" in recent(panel)


def test_only_hooks_of_this_company_and_of_kinds_of_ours_count(panel: Panel) -> None:
    ring(panel, "order.paid", 501, organization=43)
    ring(panel, "coupon.created", 9)
    assert recent(panel) == ""


def test_a_record_is_told_once_with_what_was_heard_last_and_many_are_counted() -> None:
    rows = [("order.paid", "501"), ("order.created", "501"), ("order.created", "502")]
    rows += [("collaborator.updated", "7"), ("collaborator.updated", "8")]
    rows += [("quote.created", str(number)) for number in range(3)] + [("order.paid", "")]
    changes = list_changes(Recent(1.0, tuple(RecentHook(*row) for row in rows)), {})
    assert changes is not None
    words = [change.words % {"name": change.name} for change in changes.told]
    assert words == ["order 501 paid", "order 502 created", "a person changed", "quote 0 created"]
    assert len(words) == MOST_TOLD
    assert changes.more == 2
    assert changes.rows == ("orders-501", "orders-502", "quotes-0", "quotes-1", "quotes-2")


def test_what_a_section_knows_is_called_by_its_name_and_leads_to_its_row(panel: Panel) -> None:
    seal = seal_of(panel.open().text)
    row = rows_of(panel.section("licenses", seal).text)[0]
    ring(panel, "license.deactivated", row)
    panel.section("licenses", seal)
    line = panel.open().text.split('id="recent"')[1].split("</p>")[0]
    assert f'href="#licenses-{row}"' in line
    assert f"license {row} (Plugin Legado) deactivated" in words_of(line)
    assert attribute(f" {line}", "data-rows") == f"licenses-{row}"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_hook_has_words(kind: str) -> None:
    assert kind in WORDS or f"{kind.partition('.')[0]}.*" in WORDS


def test_the_line_costs_one_query_and_asks_nobody(panel: Panel) -> None:
    ring(panel, "order.paid", 501)
    panel.open()
    texts: list[str] = []
    event.listen(
        panel.services.database,
        "before_cursor_execute",
        lambda *call: texts.append(call[2]),
    )
    panel.office.forget()
    panel.chat.forget()
    assert 'id="recent"' in panel.open().text
    assert len([query for query in texts if "received_at" in query]) == 1
    assert panel.office.count() == 0
    assert [
        call.path.rpartition("/")[2] for call in panel.chat.calls if "messages" in call.path
    ] == []
