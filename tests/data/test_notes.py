"""Claims of private notes, on both databases: of many writers a single one may write."""

import time
from concurrent.futures import ThreadPoolExecutor

from panel.data import db
from panel.data.audit_log import NOTED, AuditEntry, AuditLog
from panel.data.notes import NOTE_LEASE_SECONDS, PrivateNotes

ENTRY = AuditEntry(NOTED, 2, 101, 42, "access-token", note="orders 7")


def test_of_many_claims_at_once_one_is_the_callers(url: str) -> None:
    engines = [db.connect(url) for _ in range(2)]  # as two processes have them
    stores = [PrivateNotes(engine) for engine in engines] * 4
    now = time.time()
    with ThreadPoolExecutor(len(stores)) as pool:
        claims = list(pool.map(lambda store: store.claim(ENTRY, "mark", now), stores))
    assert [claim.is_mine for claim in claims].count(True) == 1
    assert len(list(AuditLog(engines[0]).list_entries())) == 1
    later = now + NOTE_LEASE_SECONDS + 1
    with ThreadPoolExecutor(len(stores)) as pool:
        claims = list(pool.map(lambda store: store.claim(ENTRY, "mark", later), stores))
    assert [claim.begun_at for claim in claims if claim.is_mine] == [now]
    stores[0].settle(101, "mark", later)
    after = stores[1].claim(ENTRY, "mark", later + 3600)
    assert (after.is_mine, after.written_at) == (False, later)
    for engine in engines:
        engine.dispose()
