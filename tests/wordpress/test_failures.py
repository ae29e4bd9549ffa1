"""The plugin after each kind of answer: nothing is lost, and an administrator reads the cause."""

import time

import pytest

from tests.wordpress.receiver import SECRET, Receiver, Reply, refusal
from tests.wordpress.sites import Site, poll


def fire(site: Site, first: int, last: int | None = None) -> None:
    site.visit(f"tests_fire('middag/entitlement/suspended', {first}, {last or first});")


def page(status: int, **headers: str) -> Reply:
    return Reply(status, "<html>somebody else", tuple(headers.items()))


def health(site: Site) -> tuple[str, str]:
    """Return Site Health's word and its text for the administrator."""
    code = "$t = MiddagPanelHooks\\Site_Health::test(); echo $t['status'], '|', $t['label'], '. ',"
    word, words = site.php(code + " wp_strip_all_tags( $t['description'] );").split("|")
    return word, words


# Answers that every hook meets: all hooks wait, in order, and Site Health names the remedy.
WRONG = {
    "moved": (page(301, Location="https://elsewhere.example/"), "points elsewhere (https://elsew"),
    "moved for now": (page(302, Location="/login"), "points elsewhere"),
    "another secret": (refusal(401, "bad_proof"), "same CHATWOOT_CONTACT_VIEW_SECRET"),
    "a firewall": (page(403), "firewall"),
    "no panel there": (page(404), "no panel at this address"),
    "no such method": (page(405), "does not take the hook. (405)"),
    "a page for everything": (page(200), "Something else than the panel"),
    "JSON of somebody": (Reply(200, '{"status": "ok"}', (), "application/json"), "Something else"),
    "a proxy's limit": (page(413), "(413)"),
    "a proxy's verdict": (page(422), "(422)"),
}


@pytest.mark.parametrize("answer", WRONG)
def test_a_wrong_setting_keeps_the_hooks_and_is_shown(
    site: Site, receiver: Receiver, answer: str
) -> None:
    reply, words = WRONG[answer]
    receiver.reply = lambda hook: reply
    fire(site, 1, 5)
    poll(lambda: site.known("last_error"))
    assert (site.waiting, receiver.records) == (5, [])
    word, text = health(site)
    assert (word, words in text) == ("critical", True), text
    assert SECRET not in text
    receiver.reply = lambda hook: None
    site.sql("UPDATE wp_middag_panel_state SET value = 0 WHERE name = 'paused_until'")
    fire(site, 6)
    poll(lambda: receiver.records == [1, 2, 3, 4, 5, 6])
    assert health(site)[0] == "good"


@pytest.mark.parametrize(
    ("defines", "words"),
    [
        ({"MIDDAG_PANEL_URL": ""}, "MIDDAG_PANEL_URL is not set"),
        ({"MIDDAG_PANEL_URL": "'panel.example.com'"}, "is no address"),
        ({"CHATWOOT_CONTACT_VIEW_SECRET": ""}, "CHATWOOT_CONTACT_VIEW_SECRET is not set"),
        ({"MIDDAG_PANEL_URL": "'http://127.0.0.1:9'"}, "did not answer"),
        ({"MIDDAG_PANEL_URL": "'http://no-such-host.invalid'"}, "WP_HTTP_BLOCK_EXTERNAL"),
    ],
)
def test_a_setting_that_is_mended_sends_what_waits_at_once(
    site: Site, receiver: Receiver, defines: dict[str, str], words: str
) -> None:
    right = dict(site.defines)
    site.configure(**defines)
    fire(site, 1, 5)
    poll(lambda: words in health(site)[1])
    assert (site.waiting, receiver.records) == (5, [])
    site.configure(**right)
    fire(site, 6)
    poll(lambda: len(receiver.records) == 6, 60)


def test_one_hook_that_the_panel_never_takes_stops_no_other(site: Site, receiver: Receiver) -> None:
    receiver.reply = lambda hook: refusal(422, "unreadable") if hook["data"]["id"] == 3 else None
    fire(site, 1, 6)
    poll(lambda: site.known("delivered") == "5")
    assert receiver.records == [1, 2, 4, 5, 6]
    rows = site.sql("SELECT record, state, reason FROM wp_middag_panel_hooks")
    assert rows == [["3", "refused", "The panel cannot read this hook. (422 unreadable)"]]
    assert health(site)[0] == "recommended"
    receiver.reply = lambda hook: None
    assert "1" in site.php("echo MiddagPanelHooks\\Actions::perform( 'replay' )[1];")
    poll(lambda: 3 in receiver.records)


def test_one_hook_that_the_panel_stumbles_over_waits_by_itself(
    site: Site, receiver: Receiver
) -> None:
    receiver.reply = lambda hook: page(500) if hook["data"]["id"] == 1 else None
    fire(site, 1, 6)
    poll(lambda: site.known("delivered") == "5")
    assert receiver.records == [2, 3, 4, 5, 6]
    assert site.sql("SELECT record, tries FROM wp_middag_panel_hooks") == [["1", "1"]]
    receiver.reply = lambda hook: None
    site.sql("UPDATE wp_middag_panel_hooks SET due_at = 0")
    fire(site, 7)
    poll(lambda: set(receiver.records) == {1, 2, 3, 4, 5, 6, 7})


def test_the_panel_says_how_long_to_wait(site: Site, receiver: Receiver) -> None:
    receiver.reply = lambda hook: refusal(429, "too_many", Retry_After="1800")
    fire(site, 1, 3)
    poll(lambda: site.known("paused_until"))
    assert receiver.tries == 1
    assert 1700 < int(site.known("paused_until")) - time.time() <= 1800
    fire(site, 4)
    assert receiver.tries == 1


def try_again(site: Site, age: int = 86400) -> int:
    """Make a try, as if the panel had been away for so long; returns the seconds until the next
    one."""
    site.outlast()
    since = int(time.time()) - age
    site.sql(f"UPDATE wp_middag_panel_state SET value = {since} WHERE name = 'failing_since'")
    site.sql("UPDATE wp_middag_panel_state SET value = 0 WHERE name = 'paused_until'")
    site.php("MiddagPanelHooks\\Drain::run( 1 );")
    return int(site.known("paused_until")) - int(time.time())


def test_pauses_grow_to_an_hour_and_hooks_wait_for_a_week(site: Site, receiver: Receiver) -> None:
    receiver.stop()
    fire(site, 1)
    poll(lambda: site.known("failing_since"))
    ages = (600, 3600, 3 * 3600, 5 * 3600, 3 * 86400)
    pauses = [try_again(site, age) for age in ages]
    assert pauses[:3] == sorted(pauses[:3])
    assert 100 < pauses[0] < 150
    assert all(3500 < pause < 4400 for pause in pauses[3:])  # an hour, and up to a fifth by chance
    site.sql(f"UPDATE wp_middag_panel_hooks SET occurred_at = {int(time.time()) - 6 * 86400}")
    try_again(site)
    assert site.sql("SELECT state FROM wp_middag_panel_hooks") == [["waiting"]]
    site.sql(f"UPDATE wp_middag_panel_hooks SET occurred_at = {int(time.time()) - 8 * 86400}")
    try_again(site)
    (row,) = site.sql("SELECT state, reason FROM wp_middag_panel_hooks")
    assert row[0] == "given up"
    assert "did not answer" in row[1]
    receiver.start()
    site.php("MiddagPanelHooks\\Actions::perform( 'replay' );")
    site.sql("UPDATE wp_middag_panel_state SET value = 0 WHERE name = 'paused_until'")
    fire(site, 2)
    poll(lambda: set(receiver.records) == {1, 2})


@pytest.mark.parametrize("function", ["curl_init", "none"])
def test_without_curl_wordpress_s_own_client_sends(
    site: Site, receiver: Receiver, function: str
) -> None:
    """Some or all of cURL's functions may be missing: hooks share a connection, or each has its
    own."""
    head = f"$_SERVER['HTTP_HOST'] = '{site.host}'; require '{site.root}/wp-load.php';"
    code = head + "tests_fire('middag/entitlement/suspended', 1, 20);"
    site.start_php(code, disable=function).communicate(timeout=60)
    poll(lambda: len(receiver.records) == 20)
    assert receiver.connections == (20 if function == "curl_init" else 1)


def test_the_secret_stands_in_no_log_and_no_table(site: Site, receiver: Receiver) -> None:
    receiver.reply = lambda hook: refusal(401, "bad_proof")
    fire(site, 1)
    poll(lambda: site.known("last_error"))
    assert SECRET not in str(site.sql("SELECT * FROM wp_middag_panel_hooks"))
    assert SECRET not in str(site.sql("SELECT * FROM wp_middag_panel_state"))
    assert SECRET not in "".join(site.complaints)


THEIRS = "'MIDDAG_CHATWOOT_CONTACT_VIEW_SECRET'"
SETTINGS = {
    "environment": "putenv( 'MIDDAG_PANEL_URL={url}' );"
    " putenv( 'CHATWOOT_CONTACT_VIEW_SECRET={secret}' );",
    "web server": "$_SERVER['MIDDAG_PANEL_URL'] = '{url}/'; $_SERVER[{theirs}] = '{secret}';",
    "whole address, a list of secrets": "define( 'MIDDAG_PANEL_URL', '{url}/sync/hooks' );"
    " define( {theirs}, '{secret},the-former-secret-of-the-panel' );",
    "address with a launch key": "define( 'MIDDAG_PANEL_URL', '{url}/#k=launch-key' );"
    " putenv( 'CHATWOOT_CONTACT_VIEW_SECRET={secret}' );",
}


@pytest.mark.parametrize("place", SETTINGS)
def test_settings_are_constants_or_environment(site: Site, receiver: Receiver, place: str) -> None:
    site.extra = SETTINGS[place].format(url=receiver.url, secret=SECRET, theirs=THEIRS)
    site.configure(MIDDAG_PANEL_URL="", CHATWOOT_CONTACT_VIEW_SECRET="")
    fire(site, 1)
    poll(lambda: receiver.records == [1])


@pytest.mark.parametrize(
    "name", ["chatwoot_contact_view_secret", "middag_chatwoot_contact_view_secret"]
)
def test_settings_are_options(site: Site, receiver: Receiver, name: str) -> None:
    site.configure(MIDDAG_PANEL_URL="", CHATWOOT_CONTACT_VIEW_SECRET="")
    options = {"middag_panel_url": receiver.url, name: SECRET}
    for option, value in options.items():
        site.php(f"update_option( '{option}', '{value}' );")
    try:
        fire(site, 1)
        poll(lambda: receiver.records == [1])
    finally:
        for option in options:
            site.php(f"delete_option( '{option}' );")


def test_the_log_is_silent(site: Site) -> None:
    assert site.complaints == []
