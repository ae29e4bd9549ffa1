"""A whole installation that can be broken anywhere: PostgreSQL, Redis, two workers, both worlds.

Its companies and its hooks are those of `tests/sync/stumbling.py`. A browser shows two companies:
the first one always has exactly one order, whose number grows, and the second one never has any.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from panel.application import create_app
from panel.auth.tokens import derive_launch_key
from panel.demo.worlds import SECRET, serve
from panel.services import Services, get, register
from panel.sync.pass_queue import PassQueue
from panel.sync.worker import Worker
from tests import postgres
from tests.broken.site import Front, Site
from tests.conftest import Redis, environment, start_redis
from tests.sync.stumbling import House, Story, house, story

SEED = 20261130
# Seconds between the tries of a pass: no trouble of a storm lasts long enough to use them all up.
PATIENT_WAITS = (0.5, 1.0, 2.0, 4.0, *[5.0] * 1000)


def patient() -> Flask:
    """Make the real application with other waits between the tries."""
    app = create_app()
    register(app, Worker(get(Services, app).settings, get(PassQueue, app), waits=PATIENT_WAITS))
    return app


@dataclass
class Truth:
    """The orders of the first company by number, with the times of their beginning and end."""

    story: Story
    began: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)

    @property
    def company(self) -> int:
        return self.story.companies[0].number

    @property
    def last(self) -> int:
        return max(self.began)

    def change(self) -> None:
        """Add the next order, then remove the former one, so that there is always an order."""
        number = max(self.began, default=1000) + 1
        row = {"id": number, "organization_id": self.company, "status": "pending"}
        self.began[number] = time.time()
        self.story.office.put("orders", self.company, {**row, "total": "10.00", "currency": "BRL"})
        if number - 1 in self.began:
            self.story.office.remove("orders", self.company, number - 1)
            self.ended[number - 1] = time.time()

    def was_true(self, number: int, first: float, last: float) -> bool:
        """Tell whether the company had this order at some time between the two."""
        began = self.began.get(number, float("inf"))
        return began <= last and self.ended.get(number, float("inf")) >= first


@dataclass
class Scene:
    """`hook_ids`: every hook that was sent; `site`: the worlds and servers, as breaks know them."""

    story: Story
    truth: Truth
    site: Site
    house: House
    hook_ids: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)  # the test has failed

    @property
    def launch_url(self) -> str:
        return f"{self.house.url}/#k={derive_launch_key(SECRET)}"

    def ring_on(self, first: int) -> None:
        """Act as the plugin: after each event send its hook until the answer is a 2xx."""
        number = first
        while not self.stopped.is_set():
            with self.story.lock:
                hook = self.story.hook(number)
            self.hook_ids.append(hook["id"])
            while not self.story.ring(self.house.url, hook) and not self.given_up.wait(0.2):
                pass
            if number % 7 == 0:
                self.story.ring(self.house.url, hook)
            number += 1


@contextmanager
def open_scene(folder: Path, cluster: str) -> Iterator[Scene]:
    plot = story(SEED)
    truth = Truth(plot)
    truth.change()
    server = start_redis(folder)
    settings = {
        "PANEL_DATABASE_URL": postgres.create(cluster, "storm", "template"),
        "PANEL_CACHE_URL": server.url,
        "PANEL_WORKER": "separate",
        "CHATWOOT_CALLS_PER_MINUTE": "100000",
        "HOME": str(folder),
    }
    fronts = Front(plot.office), Front(plot.chat)
    with ExitStack() as stack:
        servers = {"office": serve(fronts[0]), "chat": serve(fronts[1])}
        environ = environment(servers["office"].url, servers["chat"].url, folder, **settings)
        all_servers = {**servers, "redis": server}
        site = Site(environ, folder, plot.office, plot.chat, fronts, stack, servers=all_servers)
        stack.callback(stop_servers, site)
        processes = stack.enter_context(house(environ, "tests.chaos.scene:patient"))
        yield Scene(plot, truth, site, processes)


def stop_servers(site: Site) -> None:
    """Stop the present servers: some were started anew meanwhile."""
    site.servers["office"].stop()
    site.servers["chat"].stop()
    cache: Redis = site.servers["redis"]
    cache.process.kill()
    cache.process.wait()
