"""The administrator's screens and commands: Tools, Site Health, WP-CLI, on a real WordPress."""

import html
import re

import pytest
import requests

from tests.wordpress.receiver import SECRET, Receiver, refusal
from tests.wordpress.sites import Site, poll

PAGE = "/wp-admin/tools.php?page=middag-panel-hooks"


class Administrator:
    """A browser that has signed in."""

    def __init__(self, site: Site, name: str = "admin", password: str = "password") -> None:
        self.site = site
        self.session = requests.Session()
        self.session.get(site.url + "/wp-login.php", timeout=60)
        form = {"log": name, "pwd": password, "testcookie": "1"}
        self.session.post(site.url + "/wp-login.php", data=form, timeout=60)

    def open(self, path: str = PAGE) -> requests.Response:
        return self.session.get(self.site.url + path, timeout=60)

    def read(self, path: str = PAGE) -> str:
        answer = self.open(path)
        assert answer.status_code == 200
        return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))

    def press(self, name: str, **changes: str) -> requests.Response:
        nonce = re.search(r'name="_wpnonce" value="(\w+)"', self.open().text)
        assert nonce
        form = {"action": "middag-panel-hooks", "do": name, "_wpnonce": nonce[1], **changes}
        return self.session.post(self.site.url + "/wp-admin/admin-post.php", data=form, timeout=60)


@pytest.fixture
def administrator(site: Site) -> Administrator:
    return Administrator(site)


def rows(text: str) -> dict[str, str]:
    """Return the page's table: label to value."""
    pairs = re.findall(r'<tr><th scope="row"[^>]*>(.*?)</th><td>(.*?)</td></tr>', text)
    return {html.unescape(label): html.unescape(value) for label, value in pairs}


def test_a_test_hook_says_that_it_works(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    assert rows(administrator.open().text)["Last delivered"] == "never"
    text = administrator.press("test").text
    assert "The panel has taken the test hook (202 accepted)." in text
    assert rows(text)["Last delivered"] != "never"
    assert [(a.event, a.organization, a.record) for a in receiver.arrivals] == [
        ("sender.test", None, None)
    ]


def test_a_test_hook_says_why_it_does_not(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    receiver.reply = lambda hook: refusal(401, "bad_proof")
    text = administrator.press("test").text
    assert "notice-error" in text
    assert "Both sides need the same CHATWOOT_CONTACT_VIEW_SECRET. (401 bad_proof)" in text
    assert "401" in rows(text)["Last error"]
    assert SECRET not in text


def test_what_waits_and_was_delivered_is_counted(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    site.visit("tests_fire('middag/quote/paid', 1, 3);")
    poll(lambda: len(receiver.arrivals) == 3)
    poll(lambda: site.known("delivered") == "3")
    receiver.stop()
    for _ in range(2):
        site.visit("tests_fire('middag/quote/paid', 4, 5);")
    poll(lambda: site.known("last_error"))
    table = rows(administrator.open().text)
    assert table["Waiting"].startswith("2 (the oldest for ")
    assert table["Delivered"] == "3"
    assert "did not answer" in table["Last error"]
    assert table["Panel"] == f"{receiver.url}/sync/hooks (constant MIDDAG_PANEL_URL)"
    assert table["Secret"] == "constant CHATWOOT_CONTACT_VIEW_SECRET"
    receiver.start()
    administrator.press("send")
    poll(lambda: len(receiver.arrivals) == 5)


def test_ringing_for_every_organization_is_the_first_fill(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    assert "No organization was found" in administrator.press("ring-all").text
    output = site.php(
        """for ( $i = 0; $i < 1200; $i++ ) {
            $GLOBALS['wpdb']->insert( $GLOBALS['wpdb']->posts, array( 'post_type' =>
                'middag_organization', 'post_title' => "O $i", 'post_status' => 'publish' ) );
            echo $GLOBALS['wpdb']->insert_id, ' ';
        }"""
    )
    ids = [int(part) for part in output.split()]
    text = administrator.press("ring-all").text
    assert "Organizations for which a hook waits now: 1,200." in text
    poll(lambda: len(receiver.arrivals) == 1200, 60)
    assert {a.event for a in receiver.arrivals} == {"organization.updated"}
    assert [a.organization for a in receiver.arrivals] == ids
    site.sql("DELETE FROM wp_posts WHERE post_type = 'middag_organization'")


def test_what_was_set_aside_is_named_sent_again_or_deleted(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    assert "Set aside" not in re.findall("<h2>(.*?)</h2>", administrator.open().text)
    receiver.reply = lambda hook: refusal(422, "bad_event")
    for record in (1, 2):
        site.visit(f"tests_fire('middag/quote/paid', {record}, {record});")
    poll(
        lambda: (
            site.sql("SELECT COUNT(*) FROM wp_middag_panel_hooks WHERE state = 'refused'")
            == [["2"]]
        )
    )
    text = administrator.read()
    assert "Refused: The panel cannot read this hook. (422 bad_event)" in text
    receiver.reply = lambda hook: None
    assert "Hooks that wait again: 2." in administrator.press("replay").text
    poll(lambda: receiver.records == [1, 2])
    receiver.reply = lambda hook: refusal(422, "bad_event")
    site.visit("tests_fire('middag/quote/paid', 3, 3);")
    poll(lambda: site.sql("SELECT state FROM wp_middag_panel_hooks") == [["refused"]])
    assert "Hooks that were deleted: 1." in administrator.press("discard").text
    assert site.waiting == 0


def test_nobody_else_sees_or_presses_anything(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    site.php(
        "wp_insert_user( array( 'user_login' => 'e', 'user_pass' => 'e', 'role' => 'editor' ) );"
    )
    editor = Administrator(site, "e", "e")
    assert editor.open().status_code == 403
    form = {"action": "middag-panel-hooks", "do": "ring-all"}
    post = site.url + "/wp-admin/admin-post.php"
    assert editor.session.post(post, data=form, timeout=60).status_code == 403
    assert administrator.press("test", _wpnonce="0000000000").status_code == 403
    requests.post(post, data=form, timeout=60)
    ring = site.get("/wp-admin/admin-ajax.php", action="middag_panel_drain", token="guess")
    assert ring.status_code == 403
    assert receiver.tries == 0


def test_what_others_wrote_is_shown_as_text(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    evil = "<script>alert(1)</script>"
    receiver.reply = lambda hook: refusal(422, "bad_event")
    site.visit(
        f"do_action( 'middag/quote.paid', array( 'id' => '{evil}', 'organization_id' => 42 ) );"
    )
    poll(lambda: site.sql("SELECT state FROM wp_middag_panel_hooks") == [["refused"]])
    assert evil not in administrator.open().text


def test_site_health_has_a_test_and_a_section(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    administrator.press("test")
    text = administrator.open("/wp-admin/site-health.php").text
    assert "The contact panel hears what happens here" in text
    text = administrator.open("/wp-admin/site-health.php?tab=debug").text
    assert "MIDDAG panel hooks" in text
    assert SECRET not in text


def test_a_late_scheduler_is_named_with_what_it_needs(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    site.configure(DISABLE_WP_CRON="true")
    site.php(
        "wp_clear_scheduled_hook( 'middag_panel_drain' );"
        "wp_schedule_event( time() - 800, 'middag_panel_five_minutes', 'middag_panel_drain' );"
    )
    late = "add_filter( 'pre_get_ready_cron_jobs', '__return_empty_array' );"
    late += "wp_clear_scheduled_hook( 'middag_panel_drain' );"
    late += "wp_schedule_event( time() - 1000, 'middag_panel_five_minutes', 'middag_panel_drain' );"
    output = site.php(late + "print_r( MiddagPanelHooks\\Site_Health::test() );")
    assert "DISABLE_WP_CRON is set, and nobody calls wp-cron.php" in html.unescape(output)


def test_portuguese_is_spoken_where_the_site_speaks_it(
    site: Site, receiver: Receiver, administrator: Administrator
) -> None:
    locale = "add_filter( 'locale', function () { return 'pt_BR'; } );"
    output = site.php(locale + "echo implode( '|', MiddagPanelHooks\\Actions::labels() );")
    assert output.split("|")[0] == "Enviar um aviso de teste"


# -- WP-CLI: its own API is played, for Debian has no package of it --------------------------------

WP_CLI = """
define( 'WP_CLI', true );
class WP_CLI {
    public static $commands = array();
    public static function add_command( $name, $class ) { self::$commands[ $name ] = $class; }
    public static function line( $text ) { echo "$text\\n"; }
    public static function success( $text ) { echo "Success: $text\\n"; }
    public static function error( $text ) { echo "Error: $text\\n"; exit( 1 ); }
}
"""


def command(site: Site, name: str) -> tuple[int, str]:
    call = f"$c = new WP_CLI::$commands['middag-panel'](); $c->{name}();"
    head = f"$_SERVER['HTTP_HOST'] = '{site.host}'; require '{site.root}/wp-load.php';"
    process = site.start_php(WP_CLI + head + call)
    out = process.communicate(timeout=60)[0].decode()
    return process.returncode, out


def test_the_command_shows_and_does_the_same(site: Site, receiver: Receiver) -> None:
    code, out = command(site, "status")
    assert (code, "has not been told anything yet" in out) == (1, True)
    assert command(site, "test") == (
        0,
        "Success: The panel has taken the test hook (202 accepted).\n",
    )
    code, out = command(site, "status")
    assert (code, "Waiting: 0" in out) == (0, True)
    receiver.reply = lambda hook: refusal(401, "bad_proof")
    assert command(site, "test")[0] == 1
    assert command(site, "ring_all")[0] == 1
    for name in ("send", "replay", "discard"):
        assert command(site, name)[0] == 0


def test_the_log_is_silent(site: Site) -> None:
    assert site.complaints == []
