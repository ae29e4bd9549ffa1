"""A WordPress as tests use it: visits, PHP code, its queue, its complaints."""

import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.wordpress.programs import program

LEASE = "SELECT until FROM wp_middag_panel_state WHERE name = 'lease'"
CONFIG = """<?php
define( 'DB_NAME', '{name}' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', '127.0.0.1:{database}' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
define( 'WP_HOME', '{url}' );
define( 'WP_SITEURL', '{url}' );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'WP_HTTP_BLOCK_EXTERNAL', true ); // WordPress asks its makers for news.
foreach ( array( 'AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT',
	'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT' ) as $name ) {{
	define( $name, 'a salt of the tests for ' . $name );
}}
define( 'WP_DEBUG', true );
define( 'WP_DEBUG_DISPLAY', false );
define( 'WP_DEBUG_LOG', '{log}' );
// -- settings of a test --
{defines}
// -- end --
$table_prefix = 'wp_';
if ( ! defined( 'ABSPATH' ) ) {{
	define( 'ABSPATH', __DIR__ . '/' );
}}
require_once ABSPATH . 'wp-settings.php';
"""


@dataclass
class Visit:
    """A customer's request: the answer, and the wait in seconds."""

    answer: requests.Response
    seconds: float

    @property
    def json(self) -> Any:
        assert self.answer.status_code == 200, self.answer.text[:500]
        return self.answer.json()


@dataclass
class Site:
    """A WordPress. `defines`: the constants of its wp-config.php, beside the database's."""

    folder: Path
    root: Path
    url: str
    database: int
    name: str
    defines: dict[str, str] = field(default_factory=dict)
    extra: str = ""

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def configure(self, **defines: str) -> None:
        """Write wp-config.php anew with these constants, in PHP; the others stay. '' removes."""
        self.defines = {k: v for k, v in (self.defines | defines).items() if v}
        lines = [f"define( '{name}', {value} );" for name, value in self.defines.items()]
        text = CONFIG.format(
            name=self.name,
            database=self.database,
            url=self.url,
            log=self.folder / "debug.log",
            defines="\n".join([*lines, self.extra]),
        )
        file = self.root / "wp-config.php"
        fresh = file.with_name("wp-config.fresh")
        fresh.write_text(text)
        fresh.replace(file)

    def php(self, code: str, *, load: bool = True, seconds: float = 120, **env: str) -> str:
        """Run PHP in a process of its own, with WordPress loaded, as an import does."""
        head = f"$_SERVER['HTTP_HOST'] = '{self.host}'; require '{self.root}/wp-load.php';"
        ended = self.start_php(head + code if load else code, **env).communicate(timeout=seconds)
        return ended[0].decode()

    def start_php(self, code: str, disable: str = "", **env: str) -> subprocess.Popen[bytes]:
        """`disable`: functions that this PHP does not have."""
        options = ["-d", f"error_log={self.folder}/php.log", "-d", "display_errors=stderr"]
        options += ["-d", "sendmail_path=/bin/true"]
        options += ["-d", f"disable_functions={disable}"]
        command = [program("php"), *options, "-r", code]
        environ = {"PATH": os.environ["PATH"], **env}
        return subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=self.root
        )

    def sql(self, statement: str) -> list[list[str]]:
        """Query the database past WordPress; returns rows of text."""
        client = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.database}", "-uroot"]
        command = [*client, "--batch", "--skip-column-names", self.name, "-e", statement]
        ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return [line.split("\t") for line in ended.stdout.splitlines()]

    def get(self, path: str = "/", **params: Any) -> requests.Response:
        return requests.get(self.url + path, params=params, timeout=60)

    def visit(self, code: str = "", path: str = "/", seconds: float = 120) -> Visit:
        """Make a customer's request, in which this PHP runs once WordPress is loaded."""
        started_at = time.monotonic()
        answer = requests.post(
            self.url + path, data={"tests_run": code}, timeout=seconds, allow_redirects=False
        )
        return Visit(answer, time.monotonic() - started_at)

    @property
    def waiting(self) -> int:
        return int(self.sql("SELECT COUNT(*) FROM wp_middag_panel_hooks")[0][0])

    def known(self, name: str) -> str:
        """Return a fact about the sending; '' when it was never noted."""
        value = self.sql(f"SELECT value FROM wp_middag_panel_state WHERE name = '{name}'")
        return value[0][0] if value else ""

    def await_rest(self) -> None:
        """Wait until no process sends."""
        poll(lambda: self.sql(LEASE) == [["0"]], 60)

    def outlast(self) -> None:
        """Wait until no process stays for the next try, as if the panel had been away for a day.

        The fact is written again and again, because a process may be about to note that it began
        just now.
        """

        def rests() -> bool:
            since = int(time.time()) - 86400
            values = f"VALUES ( 'failures', 9 ), ( 'failing_since', {since} )"
            self.sql(f"REPLACE INTO wp_middag_panel_state ( name, value ) {values}")
            return self.sql(LEASE) == [["0"]]

        poll(rests, 60)
        self.sql("UPDATE wp_middag_panel_state SET value = 0 WHERE name = 'paused_until'")

    def settle(self) -> None:
        """Empty the queue, wait until no process sends, and forget the facts about the sending."""
        self.sql("DELETE FROM wp_middag_panel_hooks")
        self.sql("DELETE FROM wp_middag_panel_state WHERE name <> 'lease'")
        self.await_rest()
        self.sql("DELETE FROM wp_middag_panel_hooks")
        self.sql("DELETE FROM wp_middag_panel_state WHERE name <> 'lease'")

    def forget_complaints(self) -> None:
        for name in ("php.log", "debug.log"):
            (self.folder / name).write_text("")

    @property
    def complaints(self) -> list[str]:
        """Return the lines of PHP's and WordPress's logs that concern us."""
        files = [self.folder / name for name in ("php.log", "debug.log")]
        lines = [line for f in files if f.exists() for line in f.read_text().splitlines()]
        return [line for line in lines if re.search("middag", line, re.IGNORECASE)]


def poll(condition: Callable[[], object], seconds: float = 30.0) -> float:
    """Return the seconds until the condition held; fails when it does not within the deadline."""
    started_at = time.monotonic()
    while not condition():
        assert time.monotonic() < started_at + seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - started_at
