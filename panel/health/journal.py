"""The newest hook of the journal, noted in the cache. Restoring a backup of the database does not
change that note.

Where the cache knows of a newer hook than the database, an older backup was restored while the
panel ran. No other check can tell: the database does not know of the lost hooks.
"""

import time

from panel.data.db import transaction
from panel.data.inbox import NewestHook, read_newest
from panel.errors import PanelError
from panel.services import Services

KEY = "journal-newest"
NOTED_SECONDS = 25 * 3600


def note_newest(shared: Services) -> None:
    """Note the newest hook, unless a newer one is noted already: that note shows that hooks were
    lost, and stays."""
    try:
        newest = _read(shared)
    except PanelError:
        return  # the check `database` tells of it
    if newest.seq > _recall(shared).seq:
        shared.cache.store.note(KEY, [newest.seq, newest.at], NOTED_SECONDS)


def has_lost_hooks(shared: Services) -> bool:
    """Tell whether a newer hook is noted than the database has. Raises `PanelError`."""
    newest = _recall(shared)
    if newest.at < time.time() - NOTED_SECONDS:
        return False  # a hook that is as old may have been swept
    return newest.seq > _read(shared).seq


def _read(shared: Services) -> NewestHook:
    with transaction(shared.database) as connection:
        return read_newest(connection)


def _recall(shared: Services) -> NewestHook:
    (value,) = shared.cache.store.get(KEY)
    return NewestHook(int(value[0]), float(value[1])) if value else NewestHook(0, 0.0)
