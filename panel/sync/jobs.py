"""The jobs that the worker runs: a pass, a task, warming the cache, the nightly reconciliation."""

import logging
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event

from panel.cache.policy import CacheControl
from panel.data import inbox, pass_states
from panel.data.db import transaction
from panel.data.installation import Installation
from panel.data.lanes import Lane
from panel.data.nights import Nights
from panel.data.readings import Readings
from panel.data.sightings import Sightings
from panel.data.tasks import NAMING, REPAIR, Task
from panel.errors import Missing, PanelError
from panel.logs.events import LogThrottle
from panel.metrics import PASS_OUTCOMES, PASS_TRY_SECONDS, start_series, timing
from panel.services import Services
from panel.sync.chatwoot_events import EventReader
from panel.sync.conversations import Conversations
from panel.sync.events import find_kind
from panel.sync.installation_mark import MarkReader
from panel.sync.intake import Intake
from panel.sync.memberships import Memberships
from panel.sync.night import MOST_CLEARED, Night
from panel.sync.night_contacts import ContactComparison
from panel.sync.night_parts import Comparisons, Inbox
from panel.sync.night_strays import Strays
from panel.sync.plan import Notes
from panel.sync.rate_limit import Turn, make_limited_back_office, make_limited_client, working
from panel.sync.reconcile import DELETED, Reconciler
from panel.sync.recovery import Recovery
from panel.sync.task_intake import TaskIntake
from panel.sync.work import Work
from panel.upstream.chatwoot import Chatwoot
from panel.upstream.documents import DOCUMENTS, ORGANIZATION

log = logging.getLogger(__name__)
SECONDS_A_DAY = 86400
NIGHT_POLL_SECONDS = 5.0  # between two checks whether a night is due
Watch = Callable[[list[int]], Iterable[int]]
BACKFILL = "backfill"
start_series(PASS_TRY_SECONDS, PASS_OUTCOMES)


@dataclass(frozen=True)
class ReconcileResult:
    """The result of `sync reconcile`. `withheld`: the number of organizations that are gone and
    were not cleared, because they are too large a share of the `known` ones."""

    lined_up: int
    withheld: int
    known: int


class Jobs:
    """The worker's jobs. Their clients of both worlds keep to the limits of calls a minute."""

    def __init__(self, services: Services, intake: Intake) -> None:
        self._services = services
        self._intake = intake
        self._events = LogThrottle()
        settings = services.settings
        self._recovery = Recovery()
        client = make_limited_client(settings, self._recovery)
        chatwoot = Chatwoot(client, services.cache, settings.chatwoot_account_id)
        self._back_office = make_limited_back_office(services, self._recovery)
        # The mark's client has no limit of calls, because it asks once a minute.
        installation = Installation(services.database)
        self._marks = MarkReader(settings, services.chatwoot, installation)
        self._memberships = Memberships(services.directory, services.links)
        self._conversations = Conversations(chatwoot, services.links)
        notes = Notes(Readings(services.database), Sightings(services.database))
        self._reconciler = Reconciler(
            settings,
            self._back_office,
            chatwoot,
            services.directory,
            services.search_index,
            services.links,
            services.locks,
        )
        self._reconciler.keep_notes(notes)
        self._night = Night(
            settings,
            Nights(services.database),
            notes,
            self._reconciler,
            chatwoot,
            self._make_comparisons(chatwoot, notes),
            Inbox(
                self._line_up,
                TaskIntake(services.database).ask,
                lambda number: bool(self._find_deletion(number)),
            ),
        )

    def _make_comparisons(self, chatwoot: Chatwoot, notes: Notes) -> Comparisons:
        directory = self._services.directory
        reader = EventReader(directory, self._services.links)
        return Comparisons(
            ContactComparison(directory, self._memberships, notes.sightings),
            Strays(chatwoot, directory, notes.readings, reader),
        )

    @property
    def work(self) -> Work:
        """Return the jobs for the worker."""
        return Work(
            self.bring_in_line,
            self.begin_night,
            self.warm,
            self.do_task,
            self.is_due,
            self._marks.may_write,
            self._recovery,
            self.keep_nights,
        )

    def bring_in_line(self, organization: int) -> None:
        """Run one pass, then touch its sections again: the plugin may send a hook before the new
        data is visible."""
        kinds = self._waiting_kinds(organization)
        try:
            with timing(PASS_TRY_SECONDS, "done", "failed"):
                self._reconciler.bring_in_line(
                    organization, kinds | self._find_deletion(organization)
                )
        finally:
            sections = {name for kind in kinds for name in _list_touched(kind)}
            if sections:
                self._services.cache.touch(organization, *sections)

    def do_task(self, task: Task) -> None:
        """Name a conversation, or put back our attributes that somebody changed."""
        if task.kind == NAMING:
            return self._conversations.write_one(task.number, self._memberships)
        with suppress(Missing):  # a contact that is gone needs no repair
            self._reconciler.repair(task.number)
        return None

    def is_due(self, task: Task) -> bool:
        """A repair waits until no pass of the contact's organizations is about to do the same."""
        if task.kind != REPAIR:
            return True
        organizations = [
            organization.id for organization, _ in self._memberships.find_seats(task.number)
        ]
        with transaction(self._services.database) as connection:
            return not pass_states.is_busy(connection, organizations)

    def warm(self, organization: int) -> None:
        """Bring the panel's kept copies up to date, before an agent opens it.

        These reads have no limit of calls, because an agent who opens the panel meanwhile waits for
        them.
        """
        for document in DOCUMENTS:
            with suppress(PanelError):
                self._services.back_office.read(document, organization, CacheControl.FRESH)

    def reconcile(self, force: bool = False, watch: Watch = iter) -> ReconcileResult:
        """Line up every known organization.

        Where too many of them are gone, their clearing alone is withheld, as in a night, unless
        `force` is set.

        `watch` is given the ids and yields them again, so that a caller can show the progress.
        """
        numbers = self._services.directory.list_organizations()
        missing = {number for number in watch(numbers) if self._would_clear(number)}
        is_withheld = len(missing) > MOST_CLEARED * len(numbers) and not force
        if not is_withheld:
            self._intake.line_up(sorted(missing), Lane.RECONCILE, DELETED)
        self._intake.line_up(
            [number for number in numbers if number not in missing], Lane.RECONCILE
        )
        withheld = len(missing) if is_withheld else 0
        return ReconcileResult(len(numbers) - withheld, withheld, len(numbers))

    def begin_night(self) -> None:
        """Begin a night, as the worker's schedule asks; `keep_nights` goes on with it."""
        self._night.begin()
        age = self._services.settings.keep_days * SECONDS_A_DAY
        self._services.audit_log.prune(time.time() - age)
        self._services.notes.prune(time.time() - age)
        self._services.verifications.prune()
        self._services.tries.prune()
        self._services.links.prune(time.time())

    def run_nightly(self) -> None:
        """Run a whole night now."""
        self.begin_night()
        self._night.work(Event())

    def keep_nights(self, stop: Event) -> None:
        """Go on with a night that is under way, and begin one that was missed, until `stop` is
        set."""
        with working(Turn(Lane.RECONCILE, time.monotonic())):
            self._keep_nights(stop)

    def _keep_nights(self, stop: Event) -> None:
        while not stop.is_set():
            try:
                if self._night.is_due():
                    self.begin_night()
                self._night.work(stop)
            except Exception as error:  # noqa: BLE001 (nights must not end unnoticed)
                ids = {"error": type(error).__name__}
                self._events.record(log.warning, "a night cannot begin now", **ids)
            stop.wait(NIGHT_POLL_SECONDS)

    def _line_up(self, organizations: Collection[int], kind: str) -> None:
        self._intake.line_up(organizations, Lane.RECONCILE, kind)

    def _waiting_kinds(self, organization: int) -> set[str]:
        with transaction(self._services.database) as connection:
            return inbox.list_waiting_kinds(connection, organization)

    def _find_deletion(self, organization: int) -> set[str]:
        """Return the kind DELETED if the plugin ever sent it: a deletion counts for all later
        passes."""
        with transaction(self._services.database) as connection:
            was_deleted = inbox.was_received(connection, organization, DELETED)
        return {DELETED} if was_deleted else set()

    def _would_clear(self, organization: int) -> bool:
        """Tell whether the organization is gone: the plugin called it deleted, and the back office
        does not know it."""
        if not self._find_deletion(organization):
            return False
        try:
            self._back_office.fetch(ORGANIZATION, organization)
        except Missing as error:
            return error.code == "unknown_organization"
        except PanelError as error:  # the organization's pass asks again
            log.warning("whether organization %d is gone is not known now: %s", organization, error)
        return False


def _list_touched(kind: str) -> tuple[str, ...]:
    row = find_kind(kind)
    return row.touches if row else ()
