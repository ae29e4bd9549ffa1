"""Whose files ours are: a command that root starts works as the user of the service.

Else root's files would lie among the service's, which then cannot write them: the database's write-
ahead log, the locks, folders of the cache.
"""

import os
from pathlib import Path


def become_owner(folder: Path | None) -> None:
    """Where this process is root's and the folder is another user's: be that user.

    For good, so nothing that a command does later can be root's. A folder that is not there is
    nobody's yet.
    """
    if folder is None or os.geteuid() or not folder.is_dir():
        return
    owner = folder.stat()
    if owner.st_uid:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
