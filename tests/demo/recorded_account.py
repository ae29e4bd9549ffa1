"""An account in which the recorded calls make sense: the people and rows that they name."""

from panel.demo.chatwoot import Chatwoot
from panel.demo.mail import Mail, receive_mail
from panel.demo.world import Json

API, SITE, MAIL = 1, 2, 4
ADMINISTRATOR, AGENT = "an administrator's token", "an agent's token (not in inbox 1)"
ANA = 57
OURS = ("middag_organization_id", "middag_organization", "middag_role")
_AVATAR = {"avatar_url_hash": "87bee870", "last_avatar_sync_at": "2026-11-29T19:43:37Z"}
_IN_LINE = {
    "middag_plan": "Silver",
    "middag_role": "owner",
    "middag_next_expiry": "2026-12-08",
    "middag_organization": "Escola Aurora Nova",
    "middag_billing_entity": "middag_br",
    "middag_organization_id": "42",
    "middag_entitlement_status": "active",
    "middag_active_entitlements": 2,
}
_NO_EXPIRY = {key: value for key, value in _IN_LINE.items() if key != "middag_next_expiry"}
_WIDGET = {
    "browser": {
        "device_name": "Unknown",
        "browser_name": "Unknown Browser",
        "platform_name": "Unknown",
        "browser_version": "0.0",
        "platform_version": "0",
    },
    "referer": None,
    "initiated_at": {"timestamp": None},
    "browser_language": None,
}


def build_account() -> Chatwoot:
    chat = Chatwoot()
    chat.name = "MIDDAG"
    chat.other_accounts.add(2)
    chat.add_agent(1, "Ana Admin", "ana@middag.example", "administrator")
    chat.add_agent(2, "Bruno Agente", "bruno@middag.example")
    chat.add_agent(7, "Carla Agente", "carla@middag.example", token=AGENT)
    chat.add_agent(6, "Painel MIDDAG", "painel@middag.example", "administrator", ADMINISTRATOR)
    chat.add_inbox(API, "API", "Channel::Api", {2})
    chat.add_inbox(MAIL, "Email", "Channel::Email", {2})
    chat.add_inbox(SITE, "Site", "Channel::WebWidget", {2, 7})
    _add_contacts(chat)
    _add_conversations(chat)
    _add_settings(chat)
    return chat


def _add_contacts(chat: Chatwoot) -> None:
    """Add contacts in the order in which the recorded lists show them, and enough of them for a
    page."""
    other = {**_NO_EXPIRY, "middag_organization_id": "230"}
    avatar = {"additional_attributes": _AVATAR}
    chat.add_contact(1, name="x", email="foo@bar.example", **avatar)
    chat.add_contact(
        70, name="depois", email="depois@cliente.example", custom_attributes=other, **avatar
    )
    chat.add_contact(
        72, name="Cliente", identifier="middag:organization:231", custom_attributes=other
    )
    contact_inboxes = [{"inbox": chat.inboxes[SITE], "source_id": "c3e9df0d"}]
    chat.add_contact(
        2,
        name="Escola Aurora",
        email="contato@aurora.example",
        phone_number="+5561999990042",
        identifier="middag:organization:42",
        custom_attributes=_IN_LINE,
        contact_inboxes=contact_inboxes,
        **avatar,
    )
    chat.add_contact(
        58, name="Bia", email="bia.pessoal@x.example", custom_attributes=_IN_LINE, **avatar
    )
    _add_ana(chat)
    for number in range(200, 215):
        email, organization = f"p{number}@aurora.example", {"middag_organization_id": "42"}
        chat.add_contact(number, name="p", email=email, custom_attributes=organization)
    chat.add_contact(148, name="Nobody yet", email="nobody@aurora.example")
    # A call before the recording left this row; a second one breaks.
    chat.add_contact(160, name="N", identifier="")


def _add_ana(chat: Chatwoot) -> None:
    places = [(API, "1815930a"), *((SITE, f"visit-{at}") for at in range(9)), (MAIL, "ana@aurora")]
    chat.add_contact(
        ANA,
        name="ana",
        email="ana@aurora.example",
        identifier="middag:user:7",
        custom_attributes=dict(_IN_LINE),
        last_activity_at=1795984375,
        contact_inboxes=[{"inbox": chat.inboxes[at], "source_id": name} for at, name in places],
        additional_attributes=_AVATAR,
    )


def _add_conversations(chat: Chatwoot) -> None:
    """Add Ana's conversations: one in the API inbox, whose last message is Chatwoot's own, and
    three of the site."""
    names = {"middag_organization": "Escola Aurora Nova", "middag_organization_id": "42"}
    chat.add_conversation(ANA, API, 5, custom_attributes=names, last_activity_at=1795983579)
    chat.add_message(5, "oi", message_type=1, sender={"id": 6, "type": "user"})
    chat.add_message(5, "Unassigned from suporte n2", message_type=2, sender=None)
    answers: Json = {"content_attributes": {"in_reply_to": None}}
    for number, moment, attributes in (
        (6, 1795981455, {"y": "1"}),
        (10, 1795981550, names),
        (11, 1795981549, names),
        (12, 1795981548, names),
        (58, 1795984375, {}),
    ):
        chat.add_conversation(
            ANA,
            SITE,
            number,
            custom_attributes=attributes,
            additional_attributes=_WIDGET,
            created_at=moment,
            last_activity_at=moment,
            source_id=f"visit-{number}",
        )
        chat.add_message(number, "anonimo", created_at=moment, **answers)
    forged = Mail(
        "mallory@evil.example",
        "Me mandem minha chave de licenca por favor\n",
        subject="2a via da licenca",
        reply_to="ana@aurora.example",
        cc=["mallory@evil.example"],
    )
    mail = receive_mail(chat, MAIL, forged)
    chat.conversations[55] = chat.conversations.pop(mail["id"]) | {"id": 55}
    chat.conversations[55]["last_activity_at"] = 1795983245
    chat.contacts[ANA]["last_activity_at"] = 1795984375


def _add_settings(chat: Chatwoot) -> None:
    moment = "2026-11-29T19:32:27.891Z"
    shared: Json = {
        **dict.fromkeys(("attribute_description", "regex_pattern", "regex_cue", "default_value")),
        "attribute_values": [],
        "attribute_display_type": "text",
        "created_at": moment,
        "updated_at": moment,
    }
    models = [(OURS[0], "conversation_attribute")]
    models += [(key, "contact_attribute") for key in (*OURS, *_IN_LINE)]
    for number, (key, model) in enumerate(dict.fromkeys(models), 10):
        own = {"id": number, "attribute_key": key, "attribute_display_name": key}
        chat.definitions[number] = {**shared, **own, "attribute_model": model}
    frame = {"url": "http://panel.example.com/#k=key", "type": "frame"}
    chat.dashboard_apps[2] = {"id": 2, "title": "MIDDAG", "content": [frame], "created_at": moment}
    chat.webhooks[2] = {
        "id": 2,
        "name": "MIDDAG",
        "url": "http://panel.example.com/sync/chatwoot",
        "account_id": 1,
        "subscriptions": ["conversation_created", "contact_created", "contact_updated", "more"],
        "secret": "secret",
    }
