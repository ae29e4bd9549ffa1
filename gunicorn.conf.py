"""How gunicorn serves the panel: picked up by a plain `gunicorn "app:create_app()"`.

One process with many threads: a request mostly waits for the back office. Two processes
(`--workers 2`) serve more; the cache and the database are shared, so nothing else changes.
"""

import ctypes
import gc
import importlib
import sys
from pathlib import Path
from typing import Any

worker_class = "gthread"
workers = 1
threads = 64

# Threads and connections of the engine and of the database do not survive a fork.
preload_app = False

# The longest request is a section's read (8 s). Container engines that kill after 10 s
# lose answers, never hooks.
graceful_timeout = 15

# Long enough for the requests of one opening panel, short enough that idle panels, which ask
# every 15 s or less often, do not fill the connections of the worker.
keepalive = 5

# The heartbeat is a file's time: on a disk that hangs, a healthy worker would be killed.
_memory = Path("/dev/shm")  # noqa: S108 (gunicorn makes its own unguessable name in it)
worker_tmp_dir = str(_memory) if _memory.is_dir() else None

# Addresses and ids of customers' conversations belong in no log; the proxy has its own.
accesslog = None

# Its path is one per user: a second panel on the machine would take it from the first.
control_socket_disable = True

# Not set, on purpose: forwarded_allow_ips (a proxy on loopback is believed about the scheme, all
# else is PANEL_TRUSTED_PROXIES) and bind (gunicorn reads $PORT itself). gunicorn sends "Server:
# gunicorn", without a version; an application cannot take it back, a proxy can.

MEGABYTE = 1 << 20
# Numbers of glibc's <malloc.h>. One heap for all threads, whose free end goes back to the system.
# By itself glibc takes up to eight heaps for each core, and each keeps the most that its threads
# ever needed: 9 MB more after 100,000 requests. Under the interpreter's lock threads hardly wait
# for the one heap. Packing an answer takes 0.3 MB: below both limits, so that it is not fetched
# anew each time.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
HEAP = {M_ARENA_MAX: 1, M_TRIM_THRESHOLD: MEGABYTE, M_MMAP_THRESHOLD: MEGABYTE}


def on_starting(_server: object) -> None:
    """Faulty settings end the start with code 2; else gunicorn would start workers for ever."""
    set_heap = getattr(ctypes.CDLL(None), "mallopt", None)  # musl and macOS have none
    for option, value in HEAP.items() if set_heap else ():
        set_heap(option, value)
    sys.path.insert(0, str(Path.cwd()))
    importlib.import_module("app").settings_or_exit()


def post_worker_init(worker: Any) -> None:
    """The passes may run in this process from now on: after the fork, as their threads need it."""
    # What is there now stays. Looking through all of it took 0.07 s, each time with every thread
    # waiting, so Python did it seldom, and what requests leave behind in circles lay about.
    gc.collect()
    gc.freeze()
    importlib.import_module("app").start_work(worker.wsgi)


def worker_exit(_server: object, worker: Any) -> None:
    """Give the lease back at once, instead of when the kernel notices."""
    if getattr(worker, "wsgi", None):
        importlib.import_module("app").stop_work(worker.wsgi)
