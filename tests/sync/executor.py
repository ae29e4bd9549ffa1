"""A process of its own for the tests that kill: `python -m tests.sync.executor URL LOG COMMAND ...`

run SECONDS [EXECUTOR]   executes passes and tasks, each of which takes so long and writes two lines
ring PREFIX COUNT ORGS   keeps hooks PREFIX-1 ... of the organizations 1 ... ORGS, in turn
"""

import os
import signal
import sys
import time
from pathlib import Path

from panel.data import db, schema
from panel.settings import Settings, from_env
from panel.sync import executor as executors
from panel.sync.wire import Hook
from panel.sync.work import Work
from tests.sync.engine import Engine, make_engine

SECRET = "a-secret-that-is-long-enough-for-us"


def settings_for(url: str, **more: str) -> Settings:
    return from_env(
        {
            "CHATWOOT_CONTACT_VIEW_SECRET": SECRET,
            "MIDDAG_API_URL": "http://back-office.invalid",
            "CHATWOOT_URL": "http://chatwoot.invalid",
            "CHATWOOT_ACCOUNT_ID": "1",
            "CHATWOOT_API_TOKEN": "token",
            "PANEL_DATABASE_URL": url,
            **more,
        }
    )


def hook(name: str, organization: int | None, kind: str = "entitlement.renewed") -> Hook:
    return Hook(name, kind, time.time(), organization)


def open_engine(url: str) -> Engine:
    database = db.connect(url)
    schema.migrate(database)
    engine = make_engine(settings_for(url), database)
    engine.migrate()
    return engine


def say(log: Path, *words: object) -> None:
    """Write a whole line at once, because many processes write to the same file."""
    line = " ".join(map(str, (*words, os.getpid(), time.time()))) + "\n"
    with log.open("ab", buffering=0) as file:
        file.write(line.encode())


def run(url: str, log: Path, seconds: str, executor: str = executors.EXECUTOR) -> None:
    executors.EXECUTOR = executor

    def work(subject: object) -> None:
        say(log, "begin", subject)
        time.sleep(float(seconds))
        say(log, "end", subject)

    engine = open_engine(url)
    signal.signal(signal.SIGTERM, lambda *_: engine.worker.stop())
    say(log, "up", 0)
    engine.worker.run_work(Work(work, do_task=lambda task: work(task.id)))


def ring(url: str, log: Path, prefix: str, count: str, organizations: str) -> None:
    engine = open_engine(url)
    say(log, "up", 0)
    sys.stdin.read(1)  # so that several begin together
    for number in range(int(count)):
        name = f"{prefix}-{number}"
        answer = engine.intake.accept(hook(name, 1 + number % int(organizations)))
        say(log, answer, name)


if __name__ == "__main__":
    command = run if sys.argv[3] == "run" else ring
    command(sys.argv[1], Path(sys.argv[2]), *sys.argv[4:])
