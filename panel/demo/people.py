"""The built-in Chatwoot's calls about agents, inboxes and teams.

Source: profiles, agents, inboxes, inbox_members, teams and team_members controllers of v4.16.2.
"""

from __future__ import annotations

from panel.demo.account import Account, Answer, Ask, Refusal, Route, find_row
from panel.demo.inbox_settings import show_inbox
from panel.demo.world import Json


def profile(account: Account, user: Json) -> Json:
    """Return the user who is signed in, with the user's own secrets.

    The token is left out where no account of the user may use the API.
    """
    token = next((key for key, agent in account.tokens.items() if agent == user["id"]), "")
    return {
        "access_token": token if account.api_enabled else "",
        "account_id": account.account_id,
        "avatar_url": "",
        **{key: user[key] for key in ("available_name", "confirmed", "email", "id", "name")},
        **dict.fromkeys(("display_name", "message_signature", "inviter_id", "type")),
        "provider": "email",
        "pubsub_token": f"pubsub-{user['id']}",
        "role": user["role"],
        "ui_settings": user.get("ui_settings", {}),
        "uid": user["email"],
        "accounts": user.get("accounts", [_show_place(account, user)]),
    }


def _show_place(account: Account, user: Json) -> Json:
    return {
        "id": account.account_id,
        "name": account.name,
        "status": account.status,
        "onboarding_step": None,
        "active_at": None,
        "role": user["role"],
        "permissions": [user["role"]],
        "availability": "online",
        "availability_status": user["availability_status"],
        "auto_offline": user["auto_offline"],
        "api_and_webhooks": account.api_enabled,
    }


def show_account(account: Account, _ask: Ask) -> Answer:
    body = {"id": account.account_id, "name": account.name, "locale": account.locale}
    return 200, {**body, "status": account.status}


def agents(account: Account, _ask: Ask) -> Answer:
    return 200, list(account.agents.values())


def inboxes(account: Account, ask: Ask) -> Answer:
    """`hmac_mandatory` is null where no identity is signed."""
    rows = [row for row in account.inboxes.values() if account.may_see(ask.user, row["id"])]
    whole, channels = ask.user["role"] == "administrator", account.channels
    return 200, {"payload": [show_inbox(row, channels.get(row["id"], {}), whole) for row in rows]}


def inbox_members(account: Account, ask: Ask) -> Answer:
    inbox = find_row(account.inboxes, ask.ids["inbox"])
    if not account.may_see(ask.user, inbox["id"]):
        raise Refusal(401, {"error": "You are not authorized to do this action"})
    members = sorted(account.inbox_members[inbox["id"]])
    return 200, {"payload": [account.agents[at] for at in members if at in account.agents]}


def teams(account: Account, ask: Ask) -> Answer:
    """Any user may ask; `is_member` is about that user."""
    return 200, [_show_team(account, row, ask.user) for row in account.teams.values()]


def show_team(account: Account, ask: Ask) -> Answer:
    return 200, _show_team(account, find_row(account.teams, ask.ids["team"]), ask.user)


def _show_team(account: Account, row: Json, user: Json) -> Json:
    return {**row, "is_member": user["id"] in account.team_members[row["id"]]}


def team_members(account: Account, ask: Ask) -> Answer:
    """Return a bare list, as of agents, and not below `payload`, as for the members of an inbox."""
    members = sorted(account.team_members[find_row(account.teams, ask.ids["team"])["id"]])
    return 200, [account.agents[at] for at in members if at in account.agents]


ROUTES = (
    Route("GET", "", show_account),
    Route("GET", "/agents", agents),
    Route("GET", "/inboxes", inboxes),
    Route("GET", "/inbox_members/<int:inbox>", inbox_members),
    Route("GET", "/teams", teams),
    Route("GET", "/teams/<int:team>", show_team),
    Route("GET", "/teams/<int:team>/team_members", team_members),
)
