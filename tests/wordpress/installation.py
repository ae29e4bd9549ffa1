"""A real WordPress: MariaDB, PHP-FPM and nginx of our own, on loopback, in one folder."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
PLUGIN = ROOT / "deploy/wordpress"
PLAYED = Path(__file__).resolve().parent / "site"
WORDPRESS = Path("/usr/share/wordpress")
ABSENT = "NO WORDPRESS HERE: the must-use plugin was not tried ({} not found; tests/machine.sh)"
LEASE = "SELECT until FROM wp_middag_panel_state WHERE name = 'lease'"
CHILDREN = 5  # of PHP-FPM, its default: a drain takes one of them


def find(pattern: str) -> str | None:
    """A program by the pattern of its name; Debian keeps servers off the PATH."""
    folders = [*os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/usr/local/sbin"]
    found = [file for folder in folders for file in sorted(Path(folder).glob(pattern))]
    return str(found[-1]) if found else None


PROGRAMS = {name: find(name) for name in ("php", "php-fpm[0-9]*", "nginx", "mariadbd")}


def missing() -> list[str]:
    names = [name for name, program in PROGRAMS.items() if program is None]
    return names if WORDPRESS.is_dir() else [*names, "wordpress"]


def program(name: str) -> str:
    found = PROGRAMS[name]
    assert found, name
    return found


def await_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert process.poll() is None, "it ended at its start"
        assert time.monotonic() < end, "it does not listen"
        time.sleep(0.02)


@contextmanager
def running(command: list[str], port: int, log: Path, **options: Any) -> Iterator[None]:
    """A server in the foreground, until the block ends."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, **options
        )
    try:
        await_port(port, process)
        yield
    finally:
        # Its workers, too, where they have a group of their own.
        end = os.killpg if options.get("process_group") == 0 else os.kill
        end(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):
            end(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def database(folder: Path) -> Iterator[int]:
    """A MariaDB with the durability of its defaults; yields its port."""
    data = folder / "mysql"
    data.mkdir()
    who = ["--user=mysql"] if os.geteuid() == 0 else []
    if who:
        shutil.chown(data, "mysql", "mysql")
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", *who]
    subprocess.run(
        [*install, "--auth-root-authentication-method=normal"], check=True, capture_output=True
    )
    port = free_port()
    places = [f"--datadir={data}", f"--socket={data}/socket", f"--pid-file={data}/pid"]
    net = ["--bind-address=127.0.0.1", f"--port={port}", "--skip-name-resolve"]
    command = [program("mariadbd"), "--no-defaults", *places, *net, *who]
    with running(command, port, folder / "mariadb.log"):
        yield port


FPM = """[global]
error_log = {folder}/fpm.log
daemonize = no
[www]
{user}
listen = 127.0.0.1:{port}
pm = static
pm.max_children = {children}
php_admin_value[error_log] = {folder}/php.log
php_admin_flag[log_errors] = on
php_admin_value[memory_limit] = 256M
php_admin_value[opcache.revalidate_freq] = 0
{environment}
"""

NGINX = r"""{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
  client_body_temp_path {folder}/temporary;
  fastcgi_temp_path {folder}/temporary-fastcgi;
  proxy_temp_path {folder}/temporary-proxy;
  uwsgi_temp_path {folder}/temporary-uwsgi;
  scgi_temp_path {folder}/temporary-scgi;
  server {{
    listen 127.0.0.1:{port};
    root {root};
    index index.php;
    # The sites of a network lie in folders that are not there.
    if (!-e $request_filename) {{
      rewrite ^(/[^/]+)?(/wp-.*) $2 last;
      rewrite ^(/[^/]+)?(/.*\.php)$ $2 last;
    }}
    location / {{ try_files $uri $uri/ /index.php?$args; }}
    location ~ \.php$ {{
      include /etc/nginx/fastcgi.conf;
      fastcgi_pass 127.0.0.1:{fpm};
      fastcgi_read_timeout 120;
    }}
  }}
}}
"""

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

INSTALL = """
define( 'WP_INSTALLING', true );
$_SERVER += array( 'HTTP_HOST' => '{host}', 'REQUEST_URI' => '/', 'SERVER_PROTOCOL' => 'HTTP/1.1' );
require '{root}/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'Tests', 'admin', 'admin@example.com', true, '', 'password' );
update_option( 'permalink_structure', '/%postname%/' );
update_option( 'template', 'plain' );
update_option( 'stylesheet', 'plain' );
"""


@dataclass
class Visit:
    """A customer's request: what they were answered, and how long they waited in seconds."""

    answer: requests.Response
    seconds: float

    @property
    def json(self) -> Any:
        assert self.answer.status_code == 200, self.answer.text[:500]
        return self.answer.json()


@dataclass
class Site:
    """One WordPress. `defines`: what stands in its wp-config.php, beside the database."""

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
        """Run PHP in a process of its own, with WordPress loaded: what an import does."""
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
        """Ask the database past WordPress: rows of text."""
        client = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.database}", "-uroot"]
        command = [*client, "--batch", "--skip-column-names", self.name, "-e", statement]
        ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        return [line.split("\t") for line in ended.stdout.splitlines()]

    def get(self, path: str = "/", **params: Any) -> requests.Response:
        return requests.get(self.url + path, params=params, timeout=60)

    def visit(self, code: str = "", path: str = "/", seconds: float = 120) -> Visit:
        """A customer's request, in which this PHP runs once everything is loaded."""
        begun = time.monotonic()
        answer = requests.post(
            self.url + path, data={"tests_run": code}, timeout=seconds, allow_redirects=False
        )
        return Visit(answer, time.monotonic() - begun)

    @property
    def waiting(self) -> int:
        return int(self.sql("SELECT COUNT(*) FROM wp_middag_panel_hooks")[0][0])

    def known(self, name: str) -> str:
        """A fact about the sending; '' when it was never noted."""
        told = self.sql(f"SELECT value FROM wp_middag_panel_state WHERE name = '{name}'")
        return told[0][0] if told else ""

    def await_rest(self) -> None:
        """Until nobody sends."""
        poll(lambda: self.sql(LEASE) == [["0"]], 60)

    def outlast(self) -> None:
        """Until no process stays for the next try, as if the panel had been away for a day.

        Said again and again, for the process may be about to note that it began just now.
        """

        def rests() -> bool:
            since = int(time.time()) - 86400
            told = f"VALUES ( 'failures', 9 ), ( 'failing_since', {since} )"
            self.sql(f"REPLACE INTO wp_middag_panel_state ( name, value ) {told}")
            return self.sql(LEASE) == [["0"]]

        poll(rests, 60)
        self.sql("UPDATE wp_middag_panel_state SET value = 0 WHERE name = 'paused_until'")

    def settle(self) -> None:
        """Empty the queue, wait until no process sends any more, and forget what is known."""
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
        """What PHP and WordPress wrote into their logs that concerns us."""
        files = [self.folder / name for name in ("php.log", "debug.log")]
        lines = [line for f in files if f.exists() for line in f.read_text().splitlines()]
        return [line for line in lines if re.search("middag", line, re.IGNORECASE)]


def put_files(root: Path, plugins: bool) -> None:
    """WordPress's files, a theme that shows next to nothing; our plugin and the one that plays."""
    shutil.copytree(WORDPRESS, root, ignore_dangling_symlinks=True)
    content = root / "wp-content"
    theme = content / "themes/plain"
    theme.mkdir(parents=True)
    (theme / "style.css").write_text("/*\nTheme Name: Plain\n*/\n")
    (theme / "index.php").write_text("<?php wp_head(); echo '<p>shop</p>'; wp_footer();")
    (content / "uploads").mkdir(exist_ok=True)
    if plugins:
        shutil.copytree(PLUGIN, content / "mu-plugins")
        for file in PLAYED.glob("*.php"):
            shutil.copy(file, content / "mu-plugins" / file.name)


NETWORK = """
define( 'WP_INSTALLING_NETWORK', true );
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
foreach ( $wpdb->tables( 'ms_global' ) as $table => $prefixed ) {{ $wpdb->$table = $prefixed; }}
install_network();
populate_network( 1, '{host}', 'admin@example.com', 'Network', '/', false );
"""


def make_network(site: Site) -> None:
    """A network of two sites: / and /second/. Wants a fresh installation."""
    site.configure(WP_ALLOW_MULTISITE="true")
    site.php(NETWORK.format(host=site.host))
    site.configure(
        MULTISITE="true",
        SUBDOMAIN_INSTALL="false",
        DOMAIN_CURRENT_SITE=f"'{site.host}'",
        PATH_CURRENT_SITE="'/'",
        SITE_ID_CURRENT_SITE="1",
        BLOG_ID_CURRENT_SITE="1",
    )
    site.php(f"wpmu_create_blog( '{site.host}', '/second/', 'Second', 1 );")
    site.get("/second/")


@contextmanager
def built_in_server(site: Site) -> Iterator[Site]:
    """The same WordPress behind PHP's own server: nothing there can end a response early."""
    port = free_port()
    other = replace(site, url=f"http://127.0.0.1:{port}")
    other.configure()
    command = [program("php"), "-S", f"127.0.0.1:{port}", "-t", str(site.root)]
    command += ["-d", f"error_log={site.folder}/php.log", "-d", "log_errors=1"]
    environ = {"PATH": os.environ["PATH"], "PHP_CLI_SERVER_WORKERS": "4"}
    with running(command, port, site.folder / "built-in.log", env=environ, process_group=0):
        yield other


@contextmanager
def installation(plugins: bool = True) -> Iterator[Site]:
    """Everything, from an empty folder to a WordPress that answers; `plugins`: ours are there."""
    place = Path(tempfile.mkdtemp(prefix="panel-wordpress-"))
    place.chmod(0o755)
    is_root = os.geteuid() == 0
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        port, fpm = free_port(), free_port()
        site = Site(place, place / "www", f"http://127.0.0.1:{port}", 0, "wordpress")
        put_files(site.root, plugins)
        site.database = stack.enter_context(database(place))
        mysql = Site(place, place, "", site.database, "mysql")
        mysql.sql("CREATE DATABASE wordpress CHARACTER SET utf8mb4")
        site.configure()
        if is_root:
            _give_away(place / "www/wp-content")
            for name in ("php.log", "debug.log"):
                (place / name).touch()
                (place / name).chmod(0o666)
        (place / "fpm.conf").write_text(
            FPM.format(
                folder=place,
                user="user = www-data\ngroup = www-data" if is_root else "",
                port=fpm,
                children=CHILDREN,
                environment="",
            )
        )
        (place / "nginx.conf").write_text(
            NGINX.format(
                user="user www-data;" if is_root else "",
                folder=place,
                root=site.root,
                port=port,
                fpm=fpm,
            )
        )
        command = [program("php-fpm[0-9]*"), "--nodaemonize", "-y", str(place / "fpm.conf")]
        stack.enter_context(running([*command, "-c", "/etc/php"], fpm, place / "fpm.out"))
        command = [program("nginx"), "-c", str(place / "nginx.conf"), "-e", str(place / "n.log")]
        stack.enter_context(running(command, port, place / "nginx.out"))
        site.php(INSTALL.format(host=site.host, root=site.root), load=False)
        yield site


def _give_away(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        shutil.chown(path, "www-data", "www-data")


def poll(condition: Callable[[], object], seconds: float = 30.0) -> float:
    """Seconds until the condition held; fails when it does not within the deadline."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - begun
