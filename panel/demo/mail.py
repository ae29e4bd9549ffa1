"""How a mail becomes a message of the built-in Chatwoot's e-mail inbox.

Source: mail_presenter.rb and imap_mailbox.rb of v4.16.2; a forged mail was seen in a run. The
sender is not checked: the contact is the one that `Reply-To` names, then `X-Original-Sender`, then
`From`. An answer goes into the conversation of the message that its `In-Reply-To` names, whoever
sent it, as a message of that conversation's contact.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from panel.demo.account import Account
from panel.demo.events import tell_conversation_created, tell_message_created
from panel.demo.identification import build_contact, find_owner
from panel.demo.rails import write_moment
from panel.demo.world import Json

SUPPORT = "suporte@middag.example"


@dataclass(frozen=True)
class Mail:
    """A mail as it arrives: its headers, its text, and its HTML where it has any."""

    sender: str
    text: str
    html: str | None = None
    subject: str = "Support"
    reply_to: str | None = None
    original_sender: str | None = None
    in_reply_to: str | None = None
    to: list[str] = field(default_factory=lambda: [SUPPORT])
    cc: list[str] | None = None
    message_id: str = field(default_factory=lambda: f"{secrets.token_hex(8)}@mail.example")

    @property
    def person(self) -> str:
        """The person whom Chatwoot takes for the sender."""
        return (self.reply_to or self.original_sender or self.sender).lower()


def receive_mail(account: Account, inbox: int, mail: Mail) -> Json:
    """Return the conversation that the mail is in."""
    talk = _find_answered(account, inbox, mail)
    is_new = talk is None
    if talk is None:
        talk = _open_conversation(account, inbox, mail)
    # For the sender of a message, only `Reply-To` and `From` are looked at.
    senders = [(mail.reply_to or mail.sender).lower()]
    headers: Json = {"in_reply_to": mail.in_reply_to, "message_id": mail.message_id}
    if mail.original_sender:
        headers["headers"] = {"x-original-sender": mail.original_sender}
    message = account.add_mail(
        talk["id"],
        mail.text,
        mail.html,
        **{"from_": senders, "to": mail.to, "cc": mail.cc, "subject": mail.subject, **headers},
    )
    talk["last_activity_at"] = message["created_at"]
    if is_new:
        tell_conversation_created(account, talk)
    tell_message_created(account, talk, message)
    return talk


def _find_answered(account: Account, inbox: int, mail: Mail) -> Json | None:
    for talk in account.conversations.values():
        sources = [message["source_id"] for message in talk["messages"]]
        if talk["inbox_id"] == inbox and mail.in_reply_to and mail.in_reply_to in sources:
            return talk
    return None


def _open_conversation(account: Account, inbox: int, mail: Mail) -> Json:
    contact = find_owner(account, "email", mail.person)
    places = (
        [contact_inbox["inbox"]["id"] for contact_inbox in contact["contact_inboxes"]]
        if contact
        else []
    )
    if contact is None or inbox not in places:
        name = mail.person.partition("@")[0]
        fields: Json = {"email": mail.person, "name": name}
        fields |= {"additional_attributes": {"source_id": f"email:{mail.message_id}"}}
        contact = build_contact(account, inbox, mail.person, fields)
    return account.add_conversation(
        contact["id"],
        inbox,
        source_id=mail.person,
        additional_attributes={
            "source": "email",
            "in_reply_to": mail.in_reply_to,
            "auto_reply": False,
            "mail_subject": mail.subject,
            "initiated_at": {"timestamp": write_moment(time.time())},
        },
    )
