"""Search as an oracle: an agent with an unproven seal learns no secret by repeated searches."""

import json
import re
import string
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
import requests
from sqlalchemy import delete, select, text

from panel.auth.throttle import SEARCHES, attempts
from panel.data.audit_log import LONGEST_NOTE, AuditEntry, access_log, note_found
from panel.demo.worlds import AGENT
from tests.conftest import Clock, MakePanel, Panel, panels_before, seal_of, worlds_on_sockets
from tests.customer.test_search import LEARNED, ask, results
from tests.learning import learn

WORD = re.compile("Found by([^<]*)")


@pytest.fixture(scope="module")
def _attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with worlds_on_sockets() as worlds, panels_before(worlds, tmp_path_factory.mktemp("p")) as make:
        panel = make()
        learn(panel, *LEARNED)
        yield panel


@pytest.fixture
def attacked(_attacked: Panel) -> Panel:
    """A panel in which nobody has searched yet: it has neither rows nor counts."""
    with _attacked.services.database.begin() as connection:
        connection.execute(delete(attempts))
        connection.execute(delete(access_log))
    return _attacked


@pytest.fixture
def clocked_search(make_panel: MakePanel) -> Panel:
    """A panel on a clock of the test, at the start of a minute."""
    clock = Clock()
    clock.now -= clock.now % 60
    panel = make_panel(clock=clock)
    learn(panel, 45)
    return panel


def unlimited(panel: Panel, query: str) -> requests.Response:
    """Search as a patient attacker, past the limit, which another test covers."""
    with panel.services.database.begin() as connection:
        connection.execute(delete(attempts))
    return ask(panel, query)


def searches(panel: Panel, **filters: int) -> list[AuditEntry]:
    rows = panel.services.audit_log.list_entries(**filters)
    return [row for row in rows if row.what == "searched"]


# -- counting ----------------------------------------------------------------------------------


def grow(panel: Panel, beginning: str, alphabet: str, whole: str) -> str:
    """Return the longest beginning of `whole` that searches confirm, one sign after the other."""
    for length in range(len(whole) - 1):
        other_signs = [sign for sign in alphabet if sign != whole[length]][:1]
        for sign in (*other_signs, whole[length]):
            if 45 in results(unlimited(panel, f"{beginning}{whole[:length]}{sign}")):
                return whole[: length + 1]
    return ""


def test_the_digits_of_a_tax_id_cannot_be_counted(attacked: Panel) -> None:
    digits = re.sub(r"\D", "", attacked.office.organizations[45]["cnpj"])
    # Digits of ids are left out: an id is no secret, and a search finds it by its beginning.
    assert grow(attacked, "prado ", string.digits, digits) in ("", "4", "45")
    assert results(unlimited(attacked, f"prado {digits}")) == [45]


@pytest.mark.parametrize("key", ["email", "phone"])
def test_an_email_and_a_phone_cannot_be_counted(attacked: Panel, key: str) -> None:
    value = str(attacked.office.organizations[45][key])
    for end in range(2, len(value)):
        assert "Found by" not in unlimited(attacked, value[:end]).text, value[:end]
    assert "Found by" in unlimited(attacked, value).text


def test_an_entitlement_code_cannot_be_counted(attacked: Panel) -> None:
    code = str(attacked.office.entitlements[45][0]["code"])
    name, _, number = code.partition("-")
    for end in range(1, len(number)):
        assert results(unlimited(attacked, f"{name}-{number[:end]}")) == []
    assert results(unlimited(attacked, code)) == [45]


def test_what_found_somebody_is_named_by_its_kind_alone_while_nothing_is_proven(
    attacked: Panel,
) -> None:
    document = attacked.office.organizations[45]
    code = attacked.office.entitlements[45][0]["code"]
    for query in (document["cnpj"], document["email"], document["phone"], code):
        html = ask(attacked, query).text
        assert results(ask(attacked, query)) == [45]
        [match] = WORD.findall(html)
        assert match.strip() in {"tax ID", "e-mail", "phone", "entitlement code"}
        for word in re.split(r"[^\w@.]+", query.lower()):
            assert word not in html.lower() or len(word) < 4, (query, word)


def test_the_domain_of_an_email_names_nobodys_address(attacked: Panel) -> None:
    html = ask(attacked, "@prado.example").text
    assert 45 in results(ask(attacked, "@prado.example"))
    assert "prado.example" not in html


def test_a_proven_seal_is_told_what_it_searched_by_but_no_tax_id(attacked: Panel) -> None:
    seals, document = attacked.services.seals, attacked.office.organizations[45]
    payload = seals.open(f"Bearer {seal_of(attacked.open().text)}")
    seal = seals.sign(replace(payload, trust="proven"))
    html = attacked.ask("GET", "/search", seal, params={"q": document["email"]}).text
    assert document["email"] in html
    html = attacked.ask("GET", "/search", seal, params={"q": document["cnpj"]}).text
    assert re.sub(r"\D", "", document["cnpj"]) not in html


# -- the access log ----------------------------------------------------------------------------


def test_each_search_leaves_a_row_with_the_ids_and_never_the_words(attacked: Panel) -> None:
    ask(attacked, "daniela@prado.example")
    ask(attacked, "canary-nobody@nowhere.example")
    nobody, both = searches(attacked)
    assert (both.agent, both.proof) == (AGENT, "shared-secret")
    assert both.conversation > 0
    assert (both.note, nobody.note) == ("found 2: 42 45", "found 0:")
    with attacked.services.database.connect() as connection:
        report = json.dumps([list(row) for row in connection.execute(select(access_log))])
    assert "daniela" not in report
    assert "canary" not in report


def test_who_was_found_is_asked_for_by_their_number(attacked: Panel) -> None:
    ask(attacked, "daniela@prado.example")
    assert [row.note for row in searches(attacked, organization=45)] == ["found 2: 42 45"]
    for number in (2, 4, 5, 420):
        assert searches(attacked, organization=number) == []


def test_the_command_shows_the_searches(attacked: Panel) -> None:
    ask(attacked, "prado consultoria")
    outcome = attacked.app.test_cli_runner().invoke(args=["access", "--organization", "45"])
    assert "searched" in outcome.output
    assert "found 1: 45" in outcome.output


def test_too_little_to_search_by_is_no_search(attacked: Panel) -> None:
    ask(attacked, "a")
    assert searches(attacked) == []


def test_without_its_row_nothing_of_a_search_is_shown(panel: Panel) -> None:
    learn(panel, 45)
    seal = seal_of(panel.open("unlinked").text)
    with panel.services.database.begin() as connection:
        connection.execute(text("DROP TABLE access_log"))
    answer = panel.ask("GET", "/search", seal, params={"q": "prado"})
    assert (answer.status_code, results(answer)) == (503, [])
    assert "Prado" not in answer.text


def test_a_note_holds_whole_ids_whatever_their_length() -> None:
    assert note_found([], more=False) == "found 0:"
    assert note_found([42], more=True) == "found 1+: 42"
    long = note_found([10**18 - at for at in range(11)], more=True)
    assert len(long) <= LONGEST_NOTE
    assert long.endswith(" …")
    assert all(len(part) == 18 for part in long.removesuffix(" …").split()[3:])


# -- the limit ---------------------------------------------------------------------------------


def spend(panel: Panel, seal: str) -> list[int]:
    """Use up all searches of a minute."""
    numbers = count(1)
    queries = (f"nobody{next(numbers)}" for _ in range(SEARCHES.most))
    return [panel.ask("GET", "/search", seal, params={"q": q}).status_code for q in queries]


def test_the_61st_search_in_a_minute_is_told_when_the_next_may_come(
    clocked_search: Panel,
) -> None:
    panel = clocked_search
    seal = seal_of(panel.open("unlinked").text)
    assert set(spend(panel, seal)) == {200}
    answer = panel.ask("GET", "/search", seal, params={"q": "prado"})
    assert (answer.status_code, results(answer)) == (429, [])
    assert answer.headers["X-Panel"] == "1", "the search box shows it"
    assert "Too many searches" in answer.text
    assert "Nothing found" not in answer.text
    assert re.search(r"\d:\d\d", answer.text)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(searches(panel)) == SEARCHES.most
    panel.clock.advance(60)
    assert results(panel.ask("GET", "/search", seal, params={"q": "prado"})) == [45]


def test_an_agent_is_limited_whatever_seal_they_bring_and_a_colleague_is_not(
    clocked_search: Panel,
) -> None:
    panel = clocked_search
    spend(panel, seal_of(panel.open("unlinked").text))
    other = seal_of(panel.open("healthy").text)
    assert panel.ask("GET", "/search", other, params={"q": "prado"}).status_code == 429
    colleague = seal_of(panel.open("unlinked", agent_id=3).text)
    assert panel.ask("GET", "/search", colleague, params={"q": "prado"}).status_code == 200


def test_one_agent_searches_once_at_a_time(panel: Panel) -> None:
    seal = seal_of(panel.open("unlinked").text)
    with panel.services.locks.hold(f"search:{AGENT}", 1):
        answer = panel.ask("GET", "/search", seal, params={"q": "prado"})
    assert answer.status_code == 429
    assert panel.ask("GET", "/search", seal, params={"q": "prado"}).status_code == 200
