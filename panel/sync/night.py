"""The night: compares all our contacts in Chatwoot with the directory, and one seventh of the
organizations, the longest unread first, with the back office. A difference lines up a pass.

The night works in small steps and stores its place after each step, so that it goes on after a
restart. A failure costs an organization its turn, or delays a step, but never ends the night.
"""

import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Event, Lock

from panel.data.nights import CLOSING, CONTACTS, MISSED, NEXT_PHASE, OFFICE, NightRow, Nights
from panel.errors import GiveUp, Missing, PanelError, Paused, TryLater, Unauthorized
from panel.logs.events import LogThrottle
from panel.settings import Settings
from panel.sync.contact_errors import FAILURES_IN_A_ROW
from panel.sync.night_parts import (
    DATABASE_TROUBLE,
    Comparisons,
    Inbox,
    describe_trouble,
    is_of_database,
)
from panel.sync.night_strays import WorkOrders
from panel.sync.plan import Notes
from panel.sync.reconcile import DELETED, RECONCILE, Reconciler
from panel.upstream.chatwoot import PAGE_CONTACTS, Chatwoot

log = logging.getLogger(__name__)
NIGHTS_A_WEEK = 7  # every organization has its turn within a week
BEGINS = (4, 23)  # hour and minute in PANEL_TIMEZONE
# Organizations that one query finds: finding the longest unread ones among a million is slow.
TURNS_AT_ONCE = 100
# The share of the known organizations; a larger one looks like a broken back office.
MOST_CLEARED = 0.05
RESTS = (2.0, 5.0, 15.0, 30.0, 60.0)  # seconds, after so many failures in a row
# Rests in a row because of Chatwoot; after them the night goes on with the back office.
MOST_RESTS = 60


class Night:
    """The nights. Only the process that executes passes runs them, one at a time."""

    def __init__(
        self,
        settings: Settings,
        nights: Nights,
        notes: Notes,
        reconciler: Reconciler,
        chatwoot: Chatwoot,
        comparisons: Comparisons,
        inbox: Inbox,
    ) -> None:
        self._zone = settings.timezone
        self._nights = nights
        self._readings, self._sightings = notes.readings, notes.sightings
        self._reconciler = reconciler
        self._chatwoot = chatwoot
        self._contacts, self._strays = comparisons.contacts, comparisons.strays
        self._inbox = inbox
        self._work_orders = WorkOrders(lambda numbers: inbox.line_up(numbers, RECONCILE), inbox.ask)
        self._alone = Lock()
        self._events = LogThrottle()
        self._turns: list[int] = []  # organizations that are next
        self._failures = 0  # failures in a row, of a step or of turns
        self._steps: dict[str, Callable[[NightRow], NightRow]] = {
            CONTACTS: self._read_page,
            MISSED: self._read_missed,
            OFFICE: self._compare_next,
            CLOSING: self._close,
        }

    # -- when ------------------------------------------------------------------------------------

    def begin(self) -> NightRow:
        """Begin a night, unless one is under way."""
        last = self._nights.read_last()
        if last and not last.ended_at:
            return last
        now, count = time.time(), self._readings.count_known()
        self._turns = []
        # Organizations that the plugin called deleted have a turn each night: that hook may have
        # come before the deletion.
        self._readings.bring_forward(self._readings.list_by_hook(DELETED))
        night = NightRow(now, now, known=count, wanted=-(-count // NIGHTS_A_WEEK))
        self._nights.put(night)
        log.info("a night begins: %d organizations are known", count)
        return night

    def is_due(self) -> bool:
        """Tell whether the last night was missed. Before the very first night none was."""
        last = self._nights.read_last()
        if last is None:
            now = time.time()
            self._nights.put(NightRow(now, now, ended_at=now, phase=CLOSING))
            return False
        return bool(last.ended_at) and last.begun_at < self.find_last_time()

    def find_last_time(self) -> float:
        """Return the last moment at which a night should have begun (epoch seconds)."""
        now = datetime.now(self._zone)
        hour, minute = BEGINS
        planned = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        return (planned if planned <= now else planned - timedelta(days=1)).timestamp()

    # -- the steps of a night -----------------------------------------------------------------

    def work(self, stop: Event) -> None:
        """Go on with the night that is under way, until it is over or `stop` is set."""
        if not self._alone.acquire(blocking=False):
            return
        try:
            while not stop.is_set():
                rest = self._try_step()
                if rest is None:
                    return
                stop.wait(rest)
        finally:
            self._alone.release()

    def _try_step(self) -> float | None:
        """Take a step; returns the seconds to rest, or None when there is nothing to do."""
        night = None
        try:
            night = self._nights.read_last()
            if night is None or night.ended_at:
                return None
            return self._step(night)
        except Exception as error:  # noqa: BLE001 (the night goes on after any error)
            self._failures += 1
            with suppress(
                *DATABASE_TROUBLE, PanelError
            ):  # the failure is noted when the database is well again
                self._note_failure(night, error)
            return self._find_rest()

    def _note_failure(self, night: NightRow | None, error: Exception) -> None:
        """Note why a step failed; it is tried again after a rest, or given up."""
        self._events.record(log.warning, "the night rests", why=describe_trouble(error))
        if night is None or is_of_database(error):
            return
        if not isinstance(error, PanelError):
            log.error("a step of the night broke", exc_info=error)
        if self._is_hopeless(night, error):
            self._give_up(night, error)
        else:
            self._note_trouble(night, error)

    def _is_hopeless(self, night: NightRow, error: Exception) -> bool:
        if isinstance(error, TryLater):
            is_late = night.begun_at < self.find_last_time()
            return is_late or (night.phase == CONTACTS and self._failures >= MOST_RESTS)
        return isinstance(error, GiveUp) or self._failures >= FAILURES_IN_A_ROW

    def _step(self, night: NightRow) -> float:
        failures = self._failures
        after = self._steps[night.phase](night)
        self._nights.put(replace(after, noted_at=time.time()))
        if self._failures == failures:
            self._failures = 0
        if after.ended_at or self._failures < FAILURES_IN_A_ROW:
            return 0.0
        return self._find_rest()

    def _find_rest(self) -> float:
        return RESTS[min(self._failures, len(RESTS)) - 1] if self._failures else 0.0

    def _give_up(self, night: NightRow, error: Exception) -> None:
        """End the phase; the rest of it has its turn in the next night."""
        self._failures = 0
        phase = OFFICE if night.phase == CONTACTS else NEXT_PHASE[night.phase]
        ended_at = time.time() if night.phase == CLOSING else None
        log.error("the night stops its phase %r: %s", night.phase, describe_trouble(error))
        after = replace(night, phase=phase, place=0, ended_at=ended_at, skipped=night.skipped + 1)
        self._note_trouble(after, error)

    def _note_trouble(self, night: NightRow, error: Exception) -> None:
        side = error.side if isinstance(error, PanelError) else ""
        updated = replace(night, trouble=describe_trouble(error), side=side, noted_at=time.time())
        self._nights.put(updated)

    def _skip_turn(self, night: NightRow, turn: str, error: Exception) -> NightRow:
        self._failures += isinstance(error, TryLater | Unauthorized)
        log.warning("the night skips %s: %s", turn, describe_trouble(error))
        side = error.side if isinstance(error, PanelError) else ""
        trouble = f"{turn}: {describe_trouble(error)}"
        return replace(night, skipped=night.skipped + 1, trouble=trouble, side=side)

    # -- contacts --------------------------------------------------------------------------------

    def _read_page(self, night: NightRow) -> NightRow:
        page, at = night.place + 1, time.time()
        contacts, total = self._chatwoot.list_with_organization(page)
        differing = self._contacts.find_differing(contacts, at)
        night = self._ask_passes(night, differing)
        night = replace(night, place=page, contacts=night.contacts + len(contacts))
        if contacts and page * PAGE_CONTACTS < total:
            return night
        return replace(night, phase=MISSED, place=0)

    def _read_missed(self, night: NightRow) -> NightRow:
        """Read contacts singly that were on no page: pages shift while contacts come and go."""
        numbers = self._sightings.list_missed(night.begun_at, night.place, PAGE_CONTACTS)
        if not numbers:
            return replace(night, phase=OFFICE, place=0)
        for number in numbers:
            owners = self._contacts.find_owners(number)
            night = replace(self._read_single(night, number, owners), place=number)
        return night

    def _read_single(self, night: NightRow, number: int, owners: set[int]) -> NightRow:
        if not owners:  # the contact has no organization, so no page lists it
            return night
        night, at = replace(night, single=night.single + 1), time.time()
        try:
            contact = self._chatwoot.contact(number)
        except Missing:
            return self._ask_passes(night, owners)
        except Exception as error:
            if is_of_database(error):
                raise
            return self._skip_turn(night, f"contact {number}", error)
        return self._ask_passes(night, self._contacts.find_differing([contact], at))

    # -- the back office -------------------------------------------------------------------------

    def _compare_next(self, night: NightRow) -> NightRow:
        if night.compared >= night.wanted:
            return replace(night, phase=CLOSING, place=0)
        self._turns = self._turns or self._readings.list_next(night.begun_at, TURNS_AT_ONCE)
        if not self._turns:
            return replace(night, phase=CLOSING, place=0)
        night = self._compare(night, self._turns[0])
        self._turns.pop(0)  # removed after the comparison, so that an interrupted turn comes again
        return night

    def _compare(self, night: NightRow, organization: int) -> NightRow:
        try:
            has_changed = self._reconciler.has_changed(organization)
        except Paused:
            raise  # no request was sent: the turn is not lost
        except Missing as error:
            return self._note_missing(night, organization, error)
        except Exception as error:
            if is_of_database(error):
                raise
            self._readings.note_turn(organization, time.time())
            return self._skip_turn(night, f"organization {organization}", error)
        self._readings.note_turn(organization, time.time())
        night = replace(night, compared=night.compared + 1)
        return self._ask_passes(night, {organization}) if has_changed else night

    def _note_missing(self, night: NightRow, organization: int, error: Missing) -> NightRow:
        if error.code == "unknown_organization" and self._inbox.was_deleted(organization):
            self._readings.note_gone(organization, time.time())
            return night
        self._readings.note_turn(organization, time.time())
        return self._skip_turn(night, f"organization {organization}", error)

    # -- the end ---------------------------------------------------------------------------------

    def _close(self, night: NightRow) -> NightRow:
        after = self._strays.look(night, self._work_orders)
        return after or self._end(night)

    def _end(self, night: NightRow) -> NightRow:
        missing = self._readings.list_gone(night.begun_at)
        if len(missing) > MOST_CLEARED * night.known:
            words = f"{len(missing)} of {night.known} known organizations would be cleared"
            log.error("withheld: %s; `flask sync reconcile --force` if right", words)
            night = replace(night, withheld=len(missing), trouble=words, side="")
        elif missing:
            night = self._ask_passes(night, missing, DELETED)
        today = datetime.now(self._zone).date()
        needy = {*self._readings.list_needy(today), *self._contacts.find_absent()}
        night = self._ask_passes(night, needy - set(missing))
        now = time.time()
        self._sightings.prune(now)
        self._nights.prune(now)
        log.info(
            "the night is over: %d contacts read, %d organizations compared, %d lined up, %d"
            " turns skipped",
            *(night.contacts + night.single, night.compared, night.lined_up, night.skipped),
        )
        return replace(night, ended_at=now)

    def _ask_passes(
        self, night: NightRow, organizations: Collection[int], kind: str = RECONCILE
    ) -> NightRow:
        if organizations:
            self._inbox.line_up(sorted(organizations), kind)
        return replace(night, lined_up=night.lined_up + len(organizations))
