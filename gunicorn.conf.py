"""The settings of gunicorn, which `gunicorn "app:create_app()"` finds by itself.

One process with many threads: a request mostly waits for the back office. Two processes
(`--workers 2`) serve more; the cache and the database are shared, so nothing else changes.
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gunicorn.errors import HaltServer

APPLICATION = "panel.application"


def _take_settings() -> None:
    """Take the settings that `panel.application.hand_settings_over` left, if there are any.

    gunicorn reads this file again at a reload, and its new workers get the environment of that
    moment. systemd removes the folder when the unit stops.
    """
    file = Path(os.environ.get("RUNTIME_DIRECTORY", "/nowhere"), "settings.json")
    values = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


_take_settings()
# This file lies beside the package in a checkout, and inside it in a wheel. The package's folder
# comes first on the path: gunicorn has put its working directory there, in which another "panel"
# may lie.
_here = Path(__file__).resolve().parent
sys.path.insert(0, str(_here if (_here / "panel").is_dir() else _here.parent))

# Like gthread, but threads never wait for a client: half a request holds up no thread.
worker_class = "panel.serving.buffering.BufferingWorker"
workers = 1
threads = 64
# With our other files, connections stay below 1024, the usual limit of open files. When there are
# so many, the connection that has waited longest is closed.
worker_connections = 600

# By default gunicorn listens on all addresses as soon as there is a $PORT. Then a neighbour's
# headers would be taken for the proxy's. The image sets 0.0.0.0, because its container has an
# address of its own.
bind = f"{os.environ.get('PANEL_BIND_ADDRESS', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"

# Threads and connections of the engine and of the database do not survive a fork.
preload_app = False

# The longest request is a section's read (8 s). Container engines that kill after 10 s
# lose answers, never hooks.
graceful_timeout = 15

# Long enough for the requests of one opening panel, short enough that idle panels, which ask
# every 15 s or less often, do not fill the connections of the worker.
keepalive = 5

# The heartbeat of a worker is a file's time. On a disk that hangs, gunicorn would kill a healthy
# worker.
_memory = Path("/dev/shm")  # noqa: S108 (gunicorn makes its own unguessable name in it)
worker_tmp_dir = str(_memory) if _memory.is_dir() else None

logger_class = "panel.serving.server_log.ServerLog"
# Addresses and ids of customers' conversations belong in no log; the proxy has a log of its own.
accesslog = None

# The control socket has one path per user: a second panel on the machine would take it from the
# first.
control_socket_disable = True

# By default gunicorn takes SCRIPT_NAME and PATH_INFO from the headers of a sender on loopback. A
# proxy there passes on its clients' headers, so a client could choose our mount. The mount comes in
# X-Forwarded-Prefix, which the proxy sets. Headers with an underscore are dropped.
forwarder_headers = ""
header_map = "drop"

# forwarded_allow_ips is not set on purpose: gunicorn believes a proxy on loopback about the scheme,
# and PANEL_TRUSTED_PROXIES decides about the rest. gunicorn sends "Server: gunicorn", without a
# version. An application cannot remove this header; a proxy can.

MEGABYTE = 1 << 20
# Numbers of glibc's <malloc.h>. All threads share one heap, whose free end goes back to the system.
# By default glibc makes up to eight heaps for each core, and each heap keeps the most memory that
# its threads ever needed: 9 MB more after 100,000 requests (the benchmark's row `memory`). Under
# the interpreter's lock threads hardly wait for the one heap. Packing an answer takes 0.3 MB: below
# both limits, so that it is not fetched anew each time.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
HEAP = {M_ARENA_MAX: 1, M_TRIM_THRESHOLD: MEGABYTE, M_MMAP_THRESHOLD: MEGABYTE}

REFUSED = 2  # the application's exit code for an obstacle that another start would not remove


FOLDER_PREFIX = "panel-counters-"
COUNTERS = "PROMETHEUS_MULTIPROC_DIR"  # the library's own name, which it reads when it is loaded


def _share_counters(workers: int) -> None:
    """Let several processes count into files of one folder, so that each answers for all of them.

    A single process counts in its memory. Each start makes a new folder, so counts begin at 0.
    """
    os.environ.pop(COUNTERS, None)
    _remove_dead_folders()
    if workers > 1:
        prefix = f"{FOLDER_PREFIX}{os.getpid()}-"
        folder = os.environ[COUNTERS] = tempfile.mkdtemp(prefix=prefix, dir=worker_tmp_dir)
        _lock_folder(folder)


def _lock_folder(folder: str | Path) -> int:
    """Lock a folder as long as the returned file, or a child's copy of it, is open. Raises
    `BlockingIOError` while another gunicorn lives that has locked the folder."""
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _remove_dead_folders() -> None:
    """Remove the counters of gunicorns that were killed: their folders take memory.

    A folder that is younger than a minute stays, because its gunicorn may not have locked it yet.
    """
    for folder in Path(worker_tmp_dir or tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > 60:
                os.close(_lock_folder(folder))
                shutil.rmtree(folder, ignore_errors=True)


def on_exit(_server: object) -> None:
    if folder := os.environ.get(COUNTERS):
        shutil.rmtree(folder, ignore_errors=True)


def child_exit(_server: object, worker: Any) -> None:
    """Keep the counts of a worker that died, and drop its values of that moment, which have ended
    with it."""
    if os.environ.get(COUNTERS):
        importlib.import_module("prometheus_client.multiprocess").mark_process_dead(worker.pid)


def on_starting(server: Any) -> None:
    """End the start with code 2 for faulty settings, or for a database that has left us behind.

    If the workers found the fault, gunicorn would start others for ever. The database is upgraded
    here too, because gunicorn kills a worker that takes longer than 30 s to start.
    """
    os.umask(0o077)  # before the first file of ours
    _share_counters(server.cfg.workers)  # before anything of ours is loaded
    set_heap = getattr(ctypes.CDLL(None), "mallopt", None)  # musl and macOS have none
    for option, value in HEAP.items() if set_heap else ():
        set_heap(option, value)
    try:
        _load_application().settings_or_exit()
        if code := _run_apart("migrate_or_exit"):
            sys.exit(code)
    except SystemExit:
        on_exit(server)  # this early, gunicorn does not call it
        raise


def _load_application() -> Any:
    """Load the application without the garbage collector, which would look through its 150,000 new
    objects again and again, for a sixth of the time."""
    gc.disable()
    try:
        return importlib.import_module(APPLICATION)
    finally:
        gc.enable()


def pre_fork(server: Any, worker: Any) -> None:
    """End with code 2 if the database has left us behind since we started, before a worker takes
    the place of another one.

    The other workers are as old as we are, so all of us end.
    """
    if worker.age > server.cfg.workers and _run_apart("refuse_newer_or_exit") == REFUSED:
        raise HaltServer("the database needs a newer program", REFUSED)


def _run_apart(task: str) -> int:
    """Run a function of the application in a process of its own; returns its exit code.

    Nothing of it is left here: the database's connections would not survive the forks that follow.
    """
    target = getattr(importlib.import_module(APPLICATION), task)
    process = multiprocessing.get_context("fork").Process(target=target)
    process.start()
    process.join()
    return abs(process.exitcode or 0)


def post_worker_init(worker: Any) -> None:
    """Let passes run in this process from now on. Their threads would not survive a fork, so they
    start after it.

    This comes before the first request: a database that was away at the start is tried once more.
    """
    importlib.import_module(APPLICATION).start_work(worker.wsgi, worker.cfg.threads)
    # The objects of the start stay for good. A full collection over them took 0.07 s, with all
    # threads waiting. So Python ran it seldom, and cyclic garbage of requests stayed in memory.
    gc.collect()
    gc.freeze()


def worker_exit(_server: object, worker: Any) -> None:
    """Give the lease back at once: otherwise it would end only when the kernel notices our end."""
    if getattr(worker, "wsgi", None):
        importlib.import_module(APPLICATION).stop_work(worker.wsgi)
