"""Access to the built-in Chatwoot, and the words of its refusals."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from panel.demo.chatwoot import Chatwoot
from panel.demo.worlds import serve

ADMIN, BRUNO, CARLA, FOREIGNER = "admin-token", "bruno-token", "carla-token", "foreign-token"
BOT = "bot-token"


@dataclass(frozen=True)
class Desk:
    """Bruno is in the inbox of conversation 5; Carla is in the team that it is given to."""

    chat: Chatwoot
    url: str

    def get(self, path: str, token: str = ADMIN, account: int = 1) -> requests.Response:
        url = f"{self.url}/api/v1/accounts/{account}{path}"
        return requests.get(url, headers={"Api-Access-Token": token}, timeout=9)

    def words(self, path: str = "/agents", **caller: Any) -> tuple[int, Any]:
        answer = self.get(path, **caller)
        return answer.status_code, answer.json()["error"]


@pytest.fixture
def desk() -> Iterator[Desk]:
    chat = Chatwoot()
    chat.add_agent(1, "Service", "service@panel.example", "administrator", ADMIN)
    chat.add_agent(2, "Bruno", "bruno@panel.example", token=BRUNO)
    chat.add_agent(3, "Carla", "carla@panel.example", token=CARLA)
    chat.add_inbox(1, "Site", "Channel::WebWidget", {2})
    chat.add_team(7, "Suporte N2", {3})
    chat.add_contact(57, name="Ana", email="ana@acme.example")
    chat.add_conversation(57, 1, 5, team_id=7)
    chat.foreign_tokens.add(FOREIGNER)
    chat.bot_tokens.add(BOT)
    chat.other_accounts.add(2)
    server = serve(chat)
    yield Desk(chat, server.url)
    server.stop()


def test_the_team_of_a_conversation_may_read_it_though_no_list_shows_it(desk: Desk) -> None:
    assert desk.get("/conversations/5", CARLA).json()["meta"]["team"]["name"] == "suporte n2"
    assert desk.get("/conversations", CARLA).json()["data"]["payload"] == []
    assert desk.get("/contacts/57/conversations", CARLA).json()["payload"] == []
    assert len(desk.get("/contacts/57/conversations", BRUNO).json()["payload"]) == 1


def test_who_is_neither_in_the_inbox_nor_in_the_team_may_not(desk: Desk) -> None:
    desk.chat.team_members[7].remove(3)
    refusal = 401, "You are not authorized to do this action"
    assert desk.words("/conversations/5", token=CARLA) == refusal


def test_before_4_8_a_team_opens_nothing(desk: Desk) -> None:
    desk.chat.version = "4.7.0"
    assert desk.get("/conversations/5", CARLA).status_code == 401


def test_a_conversation_without_a_team_names_none(desk: Desk) -> None:
    desk.chat.conversations[5]["team_id"] = None
    meta = desk.get("/conversations/5").json()["meta"]
    assert meta.keys() == {"sender", "channel", "hmac_verified"}


def test_anybody_may_ask_for_teams_and_their_members(desk: Desk) -> None:
    (team,) = desk.get("/teams", CARLA).json()
    assert (team["id"], team["name"], team["is_member"]) == (7, "suporte n2", True)
    assert desk.get("/teams/7", BRUNO).json()["is_member"] is False
    (member,) = desk.get("/teams/7/team_members", BRUNO).json()
    assert member["email"] == "carla@panel.example"
    assert desk.words("/teams/8/team_members") == (404, "Resource could not be found")


@pytest.mark.parametrize(
    ("caller", "answer"),
    [
        ({"token": "wrong"}, (401, "Invalid Access Token")),
        ({"account": 99}, (404, "Resource could not be found")),
        ({"account": 2}, (401, "You are not authorized to access this account")),
        ({"token": FOREIGNER}, (401, "You are not authorized to access this account")),
        ({"token": BOT}, (401, "Access to this endpoint is not authorized for bots")),
        ({"token": FOREIGNER, "account": 99}, (404, "Resource could not be found")),
    ],
)
def test_each_refusal_has_its_words(desk: Desk, caller: Any, answer: tuple[int, str]) -> None:
    assert desk.words(**caller) == answer


def test_a_suspended_account_refuses_everybody_and_tells_their_profile(desk: Desk) -> None:
    desk.chat.status = "suspended"
    assert desk.words() == (401, "Account is suspended")
    assert desk.words(token="wrong") == (401, "Invalid Access Token")
    profile = requests.get(
        f"{desk.url}/api/v1/profile", headers={"Api-Access-Token": ADMIN}, timeout=9
    )
    assert profile.json()["accounts"][0]["status"] == "suspended"


def test_the_api_that_is_off_refuses_tokens_and_no_session(desk: Desk) -> None:
    desk.chat.api_enabled = False
    desk.chat.sessions["session", "client", "bruno@panel.example"] = 2
    assert desk.words() == (403, "API access is not enabled for this account")
    session = {"access-token": "session", "client": "client", "uid": "bruno@panel.example"}
    url = f"{desk.url}/api/v1/accounts/1/agents"
    assert requests.get(url, headers=session, timeout=9).status_code == 200
    desk.chat.version = "4.15.1"
    assert desk.get("/agents").status_code == 200
