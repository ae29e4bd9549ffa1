"""The owner of our files: a command that root starts works as the user of the service.

Otherwise root would own some files (the database's log, the locks, folders of the cache), and the
service could not write them.
"""

import os
from pathlib import Path


def become_owner(folder: Path | None) -> None:
    """Become the folder's user, where this process is root's and the folder is another user's.

    The change is for good, so a command cannot make root's files later. A missing folder has no
    owner yet, and changes nothing.
    """
    if folder is None or os.geteuid() or not folder.is_dir():
        return
    owner = folder.stat()
    if owner.st_uid:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
