"""The built-in Chatwoot's calls about agents, inboxes and teams.

Source: profiles, agents, inboxes, inbox_members, teams and team_members controllers of v4.16.2.
"""

from __future__ import annotations

from panel.demo.account import Account, Answer, Ask, Refusal, Route, found
from panel.demo.world import Json


def profile(account: Account, user: Json) -> Json:
    """Who is signed in; the real answer holds the user's own secrets too."""
    token = next((key for key, agent in account.tokens.items() if agent == user["id"]), "")
    place = {
        "id": account.account_id,
        "name": "Demo",
        "role": user["role"],
        "status": account.status,
        "permissions": [user["role"]],
    }
    return {
        **{key: user[key] for key in ("id", "name", "email", "role", "confirmed")},
        "account_id": account.account_id,
        "accounts": user.get("accounts", [place]),
        "access_token": token,
        "pubsub_token": f"pubsub-{user['id']}",
    }


def agents(account: Account, _ask: Ask) -> Answer:
    return 200, list(account.agents.values())


def inboxes(account: Account, ask: Ask) -> Answer:
    """With what visitors come in by; `hmac_mandatory` is null where nothing is signed."""
    seen = [row for row in account.inboxes.values() if account.may_see(ask.user, row["id"])]
    return 200, {"payload": [{**row, **account.channels.get(row["id"], {})} for row in seen]}


def inbox_members(account: Account, ask: Ask) -> Answer:
    inbox = found(account.inboxes, ask.ids["inbox"])
    if not account.may_see(ask.user, inbox["id"]):
        raise Refusal(401, {"error": "You are not authorized to do this action"})
    members = sorted(account.inbox_members[inbox["id"]])
    return 200, {"payload": [account.agents[at] for at in members if at in account.agents]}


def teams(account: Account, ask: Ask) -> Answer:
    """Anybody may ask; `is_member` is about who asks."""
    return 200, [_shown_team(account, row, ask.user) for row in account.teams.values()]


def show_team(account: Account, ask: Ask) -> Answer:
    return 200, _shown_team(account, found(account.teams, ask.ids["team"]), ask.user)


def _shown_team(account: Account, row: Json, user: Json) -> Json:
    return {**row, "is_member": user["id"] in account.team_members[row["id"]]}


def team_members(account: Account, ask: Ask) -> Answer:
    """A bare list, as agents are, and not below `payload`, as the members of an inbox are."""
    members = sorted(account.team_members[found(account.teams, ask.ids["team"])["id"]])
    return 200, [account.agents[at] for at in members if at in account.agents]


ROUTES = (
    Route("GET", "/agents", agents),
    Route("GET", "/inboxes", inboxes),
    Route("GET", "/inbox_members/<int:inbox>", inbox_members),
    Route("GET", "/teams", teams),
    Route("GET", "/teams/<int:team>", show_team),
    Route("GET", "/teams/<int:team>/team_members", team_members),
)
