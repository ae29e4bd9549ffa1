"""Breaks of settings: a panel that starts with them, and is opened once."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.broken.site import Site
from tests.conftest import API
from tests.ports import free_port


@dataclass(frozen=True)
class WrongSetting:
    """`settings`: with `{chat}`, `{office}` for the worlds' addresses.

    `part`, `word`: of `/readyz` once an agent has looked; `log`: words of a line.
    """

    name: str
    settings: Mapping[str, str]
    part: str
    word: str
    log: str

    def fill(self, site: Site) -> dict[str, str]:
        chat = site.environ["CHATWOOT_URL"]
        office = site.environ["MIDDAG_API_URL"].removesuffix(API)
        places = {"chat": chat, "office": office, "port": str(free_port())}
        places |= {"chat_host": urlsplit(chat).netloc, "office_host": urlsplit(office).netloc}
        return {name: value.format(**places) for name, value in self.settings.items()}


STARTS = (
    WrongSetting("token of nobody", {"CHATWOOT_API_TOKEN": "nobodys"}, "chatwoot", "wrong_token",
                 ": wrong_token"),
    WrongSetting("account that is not there", {"CHATWOOT_ACCOUNT_ID": "99"}, "chatwoot",
                 "no_account", ": no_account"),
    WrongSetting("a path in CHATWOOT_URL", {"CHATWOOT_URL": "{chat}/app/accounts/1"}, "chatwoot",
                 "no_api", ": no_api"),
    WrongSetting("https for http, Chatwoot", {"CHATWOOT_URL": "https://{chat_host}"}, "chatwoot",
                 "network", ": network"),
    WrongSetting("Chatwoot's port is closed", {"CHATWOOT_URL": "http://127.0.0.1:{port}"},
                 "chatwoot", "network", ": network"),
    WrongSetting("Chatwoot's name is not known", {"CHATWOOT_URL": "http://chatwoot.invalid"},
                 "chatwoot", "network", ": network"),
    WrongSetting("another secret than the plugin's",
                 {"CHATWOOT_CONTACT_VIEW_SECRET": "a-secret-that-only-we-have-000000000"},
                 "back_office", "unauthorized", ": unauthorized"),
    WrongSetting("MIDDAG_API_URL is the site", {"MIDDAG_API_URL": "{office}/"}, "back_office",
                 "no_route", ": no_route"),
    WrongSetting("https for http, back office",
                 {"MIDDAG_API_URL": "https://{office_host}" + API}, "back_office", "network",
                 ": network"),
    WrongSetting("the back office's name is not known",
                 {"MIDDAG_API_URL": "https://account.invalid" + API}, "back_office", "network",
                 ": network"),
)  # fmt: skip
