"""`setup` after PANEL_URL has changed, and beside another panel: the owner of each row."""

import pytest

from panel.auth.tokens import make_launch_url
from panel.demo.chatwoot import Chatwoot
from panel.demo.world import Json
from tests.cli.setups import (
    FOREIGN_APP,
    FOREIGN_HOOK,
    HOOK_URL,
    PANEL_URL,
    setup,
    standing,
    told,
    webhook,
)
from tests.conftest import MakePanel, Panel

FORMER = ["https://one.example", "http://two.example/panel", "https://panel.example.com:8443"]
OTHER = "https://other.example.com"
OTHER_SECRET = "another-panels-secret-of-24-characters"


@pytest.fixture
def panel(make: MakePanel) -> Panel:
    return make(PANEL_URL=PANEL_URL)


def set_up_at(make: MakePanel, *addresses: str) -> None:
    for address in addresses:
        setup(make(PANEL_URL=address))


def tabs(chat: Chatwoot) -> dict[str, str]:
    """Return the tabs' addresses by title, without the tab that was there before."""
    rows = [row for row in chat.dashboard_apps.values() if row["id"] != FOREIGN_APP["id"]]
    return {row["content"][0]["url"]: row["title"] for row in rows}


def hooks(chat: Chatwoot) -> list[str]:
    rows = [row for row in chat.webhooks.values() if row["id"] != FOREIGN_HOOK["id"]]
    return [row["url"] for row in rows]


@pytest.mark.parametrize("former", FORMER)
def test_a_panel_that_moved_takes_its_tab_and_its_webhook_along(
    make: MakePanel, panel: Panel, former: str
) -> None:
    set_up_at(make, former)
    secret = webhook(panel.chat, f"{former}/sync/chatwoot")["secret"]
    report = told(panel)
    assert report["steps"] == [
        f"mark this account as written by the panel at {PANEL_URL}",
        f"move dashboard app MIDDAG to {PANEL_URL}",
        f"move webhook to {HOOK_URL} from {former}/sync/chatwoot",
    ]
    assert tabs(panel.chat) == {make_launch_url(panel.settings, PANEL_URL): "MIDDAG"}
    assert hooks(panel.chat) == [HOOK_URL]
    assert webhook(panel.chat)["secret"] == secret  # the secret stays, so no setting has to change
    assert told(panel)["steps"] == []


def left_over(make: MakePanel, panel: Panel) -> None:
    """Leave the rows of earlier versions of `setup`: a tab and a webhook for every move."""
    chat = panel.chat
    for number, address in enumerate(FORMER, 50):
        url = make_launch_url(panel.settings, address)
        content = [{"type": "frame", "url": url}]
        chat.dashboard_apps[number] = {"id": number, "title": "MIDDAG", "content": content}
        hook: Json = {"id": number, "name": "MIDDAG", "url": f"{address}/sync/chatwoot"}
        chat.webhooks[number] = hook | {
            "secret": f"s{number}",
            "subscriptions": ["message_created"],
        }


def test_what_earlier_moves_left_is_removed(make: MakePanel, panel: Panel) -> None:
    setup(panel)
    left_over(make, panel)
    verbs = [step.partition(" ")[0] for step in told(panel)["steps"]]
    assert verbs == ["remove"] * 6
    assert len(tabs(panel.chat)) == 1
    assert hooks(panel.chat) == [HOOK_URL]
    assert panel.chat.dashboard_apps[1] == FOREIGN_APP
    assert panel.chat.webhooks[2] == FOREIGN_HOOK


def test_of_several_former_ones_one_moves_and_the_others_go(make: MakePanel, panel: Panel) -> None:
    left_over(make, panel)
    setup(panel)
    assert tabs(panel.chat) == {make_launch_url(panel.settings, PANEL_URL): "MIDDAG"}
    assert hooks(panel.chat) == [HOOK_URL]


def test_the_removal_takes_what_is_left_at_former_addresses_too(
    make: MakePanel, panel: Panel
) -> None:
    before = standing(panel.chat)
    setup(panel)
    left_over(make, panel)
    assert setup(panel, "--remove").exit_code == 0
    assert standing(panel.chat) == before


def test_no_launch_key_is_printed(make: MakePanel, panel: Panel) -> None:
    left_over(make, panel)
    output = (
        setup(panel, "--dry-run").output + setup(panel).output + setup(panel, "--remove").output
    )
    assert make_launch_url(panel.settings, PANEL_URL).partition("#k=")[2] not in output


def test_a_tab_with_the_key_of_a_rotated_secret_is_a_former_one_too(
    make: MakePanel, panel: Panel
) -> None:
    set_up_at(make, FORMER[0])
    both = f"{OTHER_SECRET},{panel.settings.secret}"
    rotated = make(PANEL_URL=PANEL_URL, CHATWOOT_CONTACT_VIEW_SECRET=both)
    setup(rotated)
    assert tabs(panel.chat) == {make_launch_url(rotated.settings, PANEL_URL): "MIDDAG"}


KEYLESS = {"PANEL_AGENT_PROOF": "access-token"}


def test_a_tab_without_a_launch_key_is_known_by_the_secret_of_its_webhook(
    make: MakePanel, panel: Panel
) -> None:
    chat = panel.chat
    setup(make(PANEL_URL=FORMER[0], **KEYLESS))
    secret = webhook(chat, f"{FORMER[0]}/sync/chatwoot")["secret"]
    setup(make(PANEL_URL=PANEL_URL, CHATWOOT_WEBHOOK_SECRET=secret, **KEYLESS))
    assert (tabs(chat), hooks(chat)) == ({f"{PANEL_URL}/": "MIDDAG"}, [HOOK_URL])


def test_a_webhook_is_left_over_where_no_tab_is_left(make: MakePanel, panel: Panel) -> None:
    set_up_at(make, FORMER[0])
    panel.chat.dashboard_apps.popitem()
    setup(panel)
    assert hooks(panel.chat) == [HOOK_URL]


# -- somebody else's -------------------------------------------------------------------------------


def test_another_panel_in_the_account_is_left_alone_and_told(make: MakePanel, panel: Panel) -> None:
    other = make(PANEL_URL=OTHER, CHATWOOT_CONTACT_VIEW_SECRET=OTHER_SECRET)
    setup(other)
    theirs = tabs(panel.chat), hooks(panel.chat)
    report = told(panel)
    assert [step for step in report["steps"] if "attribute" not in step][:2] == [
        "create dashboard app MIDDAG",
        f"create webhook to {HOOK_URL}",
    ]
    assert any(
        f"Another panel is registered in this account: {OTHER}" in x for x in report["notes"]
    )
    assert theirs[0].items() <= tabs(panel.chat).items()
    assert set(theirs[1]) < set(hooks(panel.chat))
    setup(panel, "--remove")
    assert (tabs(panel.chat), hooks(panel.chat)) == theirs


def test_a_panel_without_launch_keys_may_be_another_one(make: MakePanel, panel: Panel) -> None:
    """No row in Chatwoot tells such a panel from ours."""
    setup(make(PANEL_URL=OTHER, **KEYLESS))
    theirs = tabs(panel.chat), hooks(panel.chat)
    ours = make(PANEL_URL=PANEL_URL, CHATWOOT_WEBHOOK_SECRET="ours", **KEYLESS)
    assert any(OTHER in note for note in told(ours)["notes"])
    setup(ours, "--remove")
    assert (tabs(panel.chat), hooks(panel.chat)) == theirs


NOT_OURS: list[tuple[Json, Json]] = [
    (
        {"title": "MIDDAG", "content": [{"type": "frame", "url": "https://middag.example/shop"}]},
        {"name": "MIDDAG", "url": "https://middag.example/events"},
    ),
    (
        {"title": "CRM", "content": [{"type": "frame", "url": "https://crm.example/#k=abc"}]},
        {"name": "CRM", "url": "https://crm.example/sync/chatwoot"},
    ),
    (
        {"title": "MIDDAG", "content": [{"type": "frame", "url": "https://x.example/?a=/#k=abc"}]},
        {"name": "middag", "url": "https://x.example/sync/chatwoot"},
    ),
    (
        {
            "title": "MIDDAG",
            "content": [
                {"type": "frame", "url": "https://y.example/#k=abc"},
                {"type": "frame", "url": "https://z.example/"},
            ],
        },
        {"name": "MIDDAG", "url": "https://y.example/sync/chatwoot?x=1"},
    ),
    (
        {"title": "MIDDAG", "content": [{"type": "frame", "url": "https://middag.example/"}]},
        {"name": "Ours", "url": "https://middag.example/sync/chatwoot"},
    ),
    ({"title": "MIDDAG", "content": []}, {"name": None, "url": "https://y.example/sync/chatwoot"}),
    ({"title": "MIDDAG", "content": None}, {"name": "MIDDAG", "url": None}),
]


@pytest.mark.parametrize(("app", "hook"), NOT_OURS)
def test_what_only_looks_like_ours_is_never_touched(panel: Panel, app: Json, hook: Json) -> None:
    chat = panel.chat
    chat.dashboard_apps[60] = {"id": 60, **app}
    chat.webhooks[60] = {"id": 60, "subscriptions": ["message_created"], **hook}
    for options in ([], [], ["--remove"]):
        setup(panel, *options)
        assert chat.dashboard_apps[60] == {"id": 60, **app}
        assert chat.webhooks[60] == {"id": 60, "subscriptions": ["message_created"], **hook}


def test_a_tab_that_only_looks_like_a_panels_is_not_told_to_be_one(panel: Panel) -> None:
    content = [{"type": "frame", "url": "https://crm.example/#k=abc"}]
    panel.chat.dashboard_apps[60] = {"id": 60, "title": "CRM", "content": content}
    assert "crm.example" not in setup(panel).stdout
