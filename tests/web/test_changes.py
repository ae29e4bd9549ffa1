"""The request of an open panel every other second: cheap, true, and only for agents who may
look."""

from itsdangerous import TimestampSigner

from panel.auth.tokens import CHECKED_SECONDS, SEAL_SECONDS, make_signer
from panel.deadline import READ_SECONDS
from panel.demo.worlds import AGENT
from panel.upstream.chatwoot import ACCESS_LIFETIMES
from panel.web.sections import SECTIONS
from tests.conftest import MakePanel, Panel, attribute, seal_of, wait_until


def ask(panel: Panel, seal: str, **query: object) -> tuple[int, float, str]:
    """Return the status, the seconds until the next request, and the touched sections."""
    answer = panel.ask("GET", "/changes", seal, params=query)
    after = float(answer.headers.get("X-Panel-Next", 0))
    return answer.status_code, after, answer.headers.get("HX-Trigger", "")


def seen(panel: Panel, seal: str) -> str:
    pages = {name: panel.section(name, seal).text for name in SECTIONS}
    return ",".join(f"{name}:{attribute(page, 'data-version')}" for name, page in pages.items())


def test_the_answer_says_to_come_back_soon_to_who_stirs_and_later_to_who_does_not(
    standing: Panel,
) -> None:
    seal = seal_of(standing.open().text)
    soon, later, last = (ask(standing, seal, idle=idle)[1] for idle in (0, 1500, 99_999))
    assert 1.3 <= soon <= later <= last <= 16.5
    assert later > 6
    assert last > 13
    for nonsense in ("", "-5", "x", "1e9", "9" * 40, "٣"):
        assert ask(standing, seal, idle=nonsense)[0] == 204


def test_a_question_asks_nobody_and_reads_no_copy_again(make_panel: MakePanel) -> None:
    panel = make_panel()
    seal = panel.proven()
    state = seen(panel, seal)
    assert ask(panel, seal, seen=state)[2] == ""
    panel.office.forget()
    panel.chat.forget()
    for _ in range(3):
        assert ask(panel, seal, seen=state)[::2] == (204, "")
    assert panel.calls == 0


def test_a_touch_in_one_process_is_told_by_the_others_at_once(make_panel: MakePanel) -> None:
    ours, yours = make_panel(), make_panel()
    seal = ours.proven()
    state = seen(ours, seal)
    assert ask(ours, seal, seen=state)[2] == ask(yours, seal, seen=state)[2] == ""
    yours.services.cache.touch(42, "quotes")
    assert ask(ours, seal, seen=state)[2] == "touched-quotes"


def test_a_failed_refresh_is_forgotten_when_the_next_try_succeeds(clocked: Panel) -> None:
    """The end of the copy's time would be too late: until then the section would show the
    failure."""
    seal = clocked.proven()
    state = seen(clocked, seal)
    clocked.clock.advance(1)
    clocked.office.fault("500")
    failed = clocked.refresh("licenses", seal).text
    assert (attribute(failed, "data-state"), attribute(failed, "data-code")) == ("late", "http_500")
    state = state.rpartition(",")[0] + f",licenses:{attribute(failed, 'data-version')}"
    clocked.office.heal()
    assert ask(clocked, seal, seen=state)[2] == ""
    clocked.clock.advance(16)
    assert ask(clocked, seal, seen=state)[2] == "touched-licenses"
    assert attribute(clocked.section("licenses", seal, wait=1).text, "data-state") == "fresh"


# -- agents who may ask
# -----------------------------------------------------------------------------------


def test_what_is_remembered_and_kept_and_slow_is_less_than_a_minute() -> None:
    assert ACCESS_LIFETIMES.fresh + READ_SECONDS + CHECKED_SECONDS < 60


def test_a_removed_agent_is_refused_within_the_minute_however_busy_the_panel_is(
    clocked: Panel,
) -> None:
    seal = seal_of(clocked.open().text)
    assert clocked.section("orders", seal).status_code == 200
    del clocked.chat.agents[AGENT]
    seconds = 0
    while seconds < 70 and clocked.section("orders", seal).status_code == 200:
        clocked.clock.advance(1)
        seconds += 1
    assert 0 < seconds < 60
    assert clocked.section("orders", seal).status_code == 401
    assert ask(clocked, seal)[0] == 401


def test_a_refusal_is_not_remembered(clocked: Panel) -> None:
    seal = seal_of(clocked.open().text)
    clocked.chat.inbox_members[1].remove(AGENT)
    clocked.clock.advance(60)
    wait_until(lambda: ask(clocked, seal)[0] == 401)  # the first request checks in the background
    clocked.chat.inbox_members[1].add(AGENT)
    clocked.clock.advance(ACCESS_LIFETIMES.fresh)
    assert ask(clocked, seal)[0] == 204


class AlmostOver(TimestampSigner):
    """Signs as if it were nearly half an hour ago."""

    def get_timestamp(self) -> int:
        return super().get_timestamp() - SEAL_SECONDS + 3


def test_a_seal_that_is_remembered_still_ends_in_time(standing: Panel) -> None:
    seal = standing.services.seals.open(f"Bearer {seal_of(standing.open().text)}")
    maker = make_signer(standing.settings, "seal")
    maker.signer = AlmostOver
    ending = str(maker.dumps(list(vars(seal).values())))
    ask(standing, ending)  # from now on the seal is remembered
    wait_until(lambda: ask(standing, ending)[0] == 401, seconds=CHECKED_SECONDS - 1)


def test_a_clock_of_its_own_does_not_lengthen_what_is_remembered(clocked: Panel) -> None:
    seal = seal_of(clocked.open().text)
    ask(clocked, seal)
    del clocked.chat.agents[AGENT]
    clocked.clock.advance(3600)
    wait_until(lambda: ask(clocked, seal)[0] == 401)
