"""Access: whether this agent may see this conversation. Chatwoot decides, and its answer is at most
a minute old.

A slow Chatwoot delays no panel: after `CHECK_SECONDS` its earlier answer decides, which is kept for
a short while (`chatwoot_calls.ACCESS_LIFETIMES`). The viewer is told that the access could not be
checked.
"""

from panel.auth.background_checks import BackgroundChecks
from panel.cache.policy import CacheControl
from panel.deadline import READ_SECONDS
from panel.errors import GiveUp, PanelError
from panel.settings import Settings
from panel.upstream.chatwoot import ADMINISTRATOR, Agent, Chatwoot, Conversation

NOT_AN_AGENT = "not_an_agent"


class Denied(GiveUp):
    """The viewer may not see this. `code` is shown; the caller answers 401 or 403."""

    code = "denied"


class Unproven(Denied):
    """There is no valid proof: where agents can sign in, the panel offers it."""

    code = "no_proof"


class Access:
    """Its methods raise `Denied`; `PanelError` when Chatwoot cannot be asked."""

    def __init__(self, settings: Settings, chatwoot: Chatwoot, checks: BackgroundChecks) -> None:
        self._settings = settings
        self._chatwoot = chatwoot
        self._checks = checks

    def admit(
        self, agent: int, conversation: Conversation, control: CacheControl = CacheControl.FRESH
    ) -> Agent:
        """Return the agent, if they are listed and may see this conversation."""
        record = self._chatwoot.agents(control).get(agent)
        if record is None:
            raise Denied(NOT_AN_AGENT)
        if self._settings.inboxes and conversation.inbox not in self._settings.inboxes:
            raise Denied("inbox_not_served")
        # Chatwoot shows every inbox to administrators, member or not.
        limited = self._settings.check_inbox and record.role != ADMINISTRATOR
        if limited and not self._is_member(agent, conversation, control):
            raise Denied("not_in_inbox")
        return record

    def admit_in_time(self, agent: int, conversation: Conversation) -> tuple[Agent, bool]:
        """Like `admit`, and whether Chatwoot decided now: False where it was too slow, so that its
        earlier answer decided."""
        key = ("admit", agent, conversation.id)
        check = self._checks.start(key, lambda: self.admit(agent, conversation))
        try:
            return self._checks.wait(check), True
        except Denied:
            raise
        except PanelError as error:
            late = error
        try:
            return self.admit(agent, conversation, CacheControl.ONLY_IF_CACHED), False
        except PanelError:  # `Denied` too: an older list may not know a new agent yet
            if check.future.done():
                raise late from None
        # No kept answer admits the agent. So this opening waits for Chatwoot as long as a read may.
        return self._checks.wait(check, READ_SECONDS), True

    def _is_member(self, agent: int, conversation: Conversation, control: CacheControl) -> bool:
        """Tell whether the agent belongs to the conversation's inbox, or to its team."""
        if agent in self._chatwoot.members(conversation.inbox, control):
            return True
        team = conversation.team
        return team is not None and agent in self._chatwoot.team_members(team, control)
