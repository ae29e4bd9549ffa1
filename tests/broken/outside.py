"""Breaks of the outside worlds, and of the servers in front of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.types import WSGIEnvironment

from werkzeug.wrappers import Response

from panel.demo.faults import native, page
from panel.demo.worlds import ADMIN_TOKEN, serve
from tests.broken.rows import Break, Make
from tests.broken.site import Instead, Site

OFFICE, CHAT = 0, 1  # the fronts
DIEGO = 4  # an agent of no inbox


def backfill(site: Site) -> None:
    """Run a pass that reads all people, also those whom a pass read today."""
    site.run("sync backfill 42")


def ring(site: Site) -> None:
    """Send a hook of the plugin that needs a pass."""
    site.ring()


def refresh(site: Site) -> None:
    """Refresh as an agent does; a pass would wait for the end of the limit."""
    site.office.retry_after = 1
    site.refresh("organization")


def open_and_backfill(site: Site) -> None:
    """Let both wings ask Chatwoot; a hook's pass need not, where nothing has changed."""
    site.open()
    backfill(site)


# -- making the breaks ---------------------------------------------------------------------------


def answer_instead(front: int, instead: Instead) -> Make:
    """Let a server in front of a world answer in its place."""

    @contextmanager
    def make(site: Site) -> Iterator[None]:
        site.fronts[front].instead = instead
        yield
        site.fronts[front].instead = lambda _: None

    return make


def answer_always(front: int, answer: Callable[[], Response]) -> Make:
    return answer_instead(front, lambda _: answer())


def answer_below(front: int, path: str, answer: Callable[[], Response]) -> Make:
    """Do the same for paths alone that contain this text."""

    def choose(environ: WSGIEnvironment) -> Response | None:
        return answer() if path in environ["PATH_INFO"] else None

    return answer_instead(front, choose)


def fail(name: str) -> Make:
    """Make a fault of the built-in back office, by its name."""

    @contextmanager
    def make(site: Site) -> Iterator[None]:
        site.office.fault(name, 42)
        yield
        site.office.heal(42)

    return make


def change_world(world: str, **values: Any) -> Make:
    """Give an attribute of a world another value meanwhile."""

    @contextmanager
    def make(site: Site) -> Iterator[None]:
        target = getattr(site, world)
        before = {name: getattr(target, name) for name in values}
        _assign(target, values)
        yield
        _assign(target, before)

    return make


def _assign(holder: object, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(holder, name, value)


def stop_server(world: str) -> Make:
    """Stop the server of a world, so that nobody listens there."""

    @contextmanager
    def make(site: Site) -> Iterator[None]:
        before = site.servers[world]
        before.stop()
        yield
        after = site.servers[world] = serve(before.app, port=before.port)
        site.stack.callback(after.stop)

    return make


@contextmanager
def revoke_token(site: Site) -> Iterator[None]:
    user = site.chat.tokens.pop(ADMIN_TOKEN)
    yield
    site.chat.tokens[ADMIN_TOKEN] = user


@contextmanager
def move_token(site: Site) -> Iterator[None]:
    with revoke_token(site):
        site.chat.foreign_tokens.add(ADMIN_TOKEN)
        yield
        site.chat.foreign_tokens.discard(ADMIN_TOKEN)


@contextmanager
def demote_token(site: Site) -> Iterator[None]:
    """Make the token's user an agent, and member of no inbox."""
    user = site.chat.tokens[ADMIN_TOKEN]
    site.chat.tokens[ADMIN_TOKEN] = DIEGO
    yield
    site.chat.tokens[ADMIN_TOKEN] = user


# -- the wrong answers ---------------------------------------------------------------------------


def refuse(status: int, code: str) -> Callable[[], Response]:
    """Make an error as WordPress writes it."""
    return lambda: native(status, code, "No.")


def show_page(status: int, **headers: str) -> Callable[[], Response]:
    def answer() -> Response:
        spoiled = page(status, "A page")
        for name, value in headers.items():
            spoiled.headers[name.replace("_", "-")] = value
        return spoiled

    return answer


OF_RECORDS = ("wrong_shape", "foreign_rows")  # faults in the answers themselves


def office(code: str, name: str, make: Make, words: str, detail: str = "") -> Break:
    """Make a break of the back office that a pass notices, and that all three places report."""
    return Break(name, make, ring, "back_office", code, detail or code, f"organization 42: {code}",
                 f"MIDDAG Account {words}",
                 check="documents" if code in OF_RECORDS else "secret")  # fmt: skip


def chatwoot(code: str, name: str, make: Make, words: str, detail: str = "") -> Break:
    return Break(name, make, open_and_backfill, "chatwoot", code, detail or code, f": {code}",
                 f"Chatwoot {words}", check="token")  # fmt: skip


FAILS = "answers with an error of its own"
OUTSIDE = (
    # The back office, and the servers in front of it.
    office("unauthorized", "secret rotated on the plugin's side",
           change_world("office", secrets=["another"]), "refuses our secret or token",
           "CHATWOOT_CONTACT_VIEW_SECRET"),
    office("header_dropped", "a web server drops Authorization",
           answer_always(OFFICE, refuse(401, "token_missing")),
           "does not receive the header Authorization"),
    office("secret_refused", "another token plugin",
           answer_always(OFFICE, refuse(401, "token_invalid")), "has another secret"),
    office("user_not_found", "the secret's user is gone",
           answer_always(OFFICE, refuse(404, "user_not_found")), "no longer has the WordPress"),
    office("no_route", "plugin deactivated",
           answer_always(OFFICE, refuse(404, "rest_no_route")), "is not at this address"),
    office("rest_closed", "REST API closed to guests",
           answer_always(OFFICE, refuse(401, "rest_not_logged_in")), "is closed to guests"),
    office("jwt_plugin", "JWT plugin", answer_always(OFFICE, refuse(403, "jwt_auth_invalid_token")),
           "is kept from us by the plugin JWT"),
    office("site_password", "password of the web server",
           answer_always(OFFICE, show_page(401, WWW_Authenticate='Basic realm="Staging"')),
           "is behind a password"),
    office("blocked", "firewall before the back office", answer_always(OFFICE, show_page(403)),
           "is kept from us by a firewall"),
    office("redirected", "the back office moved",
           answer_always(OFFICE, show_page(301, Location="https://www.elsewhere.invalid/")),
           "leads elsewhere"),
    office("http_500", "PHP fails", fail("500"), FAILS),
    office("http_502", "the back office's proxy has nobody behind it", fail("502"), FAILS),
    office("unreadable", "the back office under maintenance", fail("html"), "answers no JSON"),
    office("wrong_shape", "a plugin of another form", fail("wrongshape"),
           "answers in another form"),
    office("foreign_rows", "another organization's rows", fail("foreign"),
           "answers with rows of another"),
    office("too_large", "an answer of 3 MB", fail("huge"), "answers with more than we read"),
    office("network", "connections are cut", fail("reset"), "cannot be reached"),
    Break("the back office hangs", fail("hang"), refresh, "back_office", "timeout", "timeout",
          "organization 42: timeout", code=0, check="secret"),
    Break("a limit of calls", fail("429"), refresh, "back_office", "rate_limited", "rate_limited",
          "organization 42: rate_limited", code=0, check="secret"),
    # Chatwoot, and the servers in front of it.
    chatwoot("wrong_token", "token revoked", revoke_token, "does not know CHATWOOT_API_TOKEN"),
    chatwoot("other_account", "token of another account", move_token, "says that the token's user"),
    Break("token of an agent", demote_token, Site.open, "chatwoot", "not_permitted",
          "not_permitted", ": not_permitted", code=0, check="token"),
    chatwoot("account_suspended", "account suspended", change_world("chat", status="suspended"),
             "has suspended the account"),
    chatwoot("no_api", "pages in the place of the API", answer_always(CHAT, show_page(200)),
             "is not at this address"),
    chatwoot("blocked", "firewall before Chatwoot", answer_always(CHAT, show_page(403)),
             "is kept from us by a firewall"),
    chatwoot("http_500", "Chatwoot fails", answer_always(CHAT, show_page(500)), FAILS),
    chatwoot("http_503", "Chatwoot down", change_world("chat", down=True), FAILS),
    chatwoot("network", "Chatwoot gone", stop_server("chat"), "cannot be reached"),
    Break("Chatwoot's filter fails", answer_below(CHAT, "contacts/filter", show_page(502)),
          backfill, "retries", "retrying", "Chatwoot: http_502", "contacts/filter 0: http_502",
          "Chatwoot answers with an error of its own (http_502", check="filter", cause="http_502"),
)  # fmt: skip
