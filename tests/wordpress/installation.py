"""A real WordPress: MariaDB, PHP-FPM and nginx of our own, on loopback, in one folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from tests.ports import free_port
from tests.wordpress.programs import ROOT, WORDPRESS, database, program, running
from tests.wordpress.sites import Site

PLUGIN = ROOT / "deploy/wordpress"
PLAYED = Path(__file__).resolve().parent / "site"
CHILDREN = 5  # PHP-FPM's default number of children; a drain takes one of them
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


def put_files(root: Path, plugins: bool) -> None:
    """Put WordPress's files, an almost empty theme, our plugin, and the test plugins in place."""
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


def put_configurations(folder: Path, root: Path, port: int, fpm: int) -> None:
    """Write the configurations of PHP-FPM and nginx, which listen on these ports."""
    is_root = os.geteuid() == 0
    user = "user = www-data\ngroup = www-data" if is_root else ""
    text = FPM.format(folder=folder, user=user, port=fpm, children=CHILDREN, environment="")
    (folder / "fpm.conf").write_text(text)
    user = "user www-data;" if is_root else ""
    text = NGINX.format(user=user, folder=folder, root=root, port=port, fpm=fpm)
    (folder / "nginx.conf").write_text(text)


NETWORK = """
define( 'WP_INSTALLING_NETWORK', true );
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
foreach ( $wpdb->tables( 'ms_global' ) as $table => $prefixed ) {{ $wpdb->$table = $prefixed; }}
install_network();
populate_network( 1, '{host}', 'admin@example.com', 'Network', '/', false );
"""


def make_network(site: Site) -> None:
    """Make a network of two sites, / and /second/, of a fresh installation."""
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
    """Serve the same WordPress by PHP's own server, which cannot end a response early."""
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
    """Install all parts, from an empty folder to a WordPress that answers; `plugins`: with ours."""
    place = Path(tempfile.mkdtemp(prefix="panel-wordpress-"))
    place.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        port, fpm = free_port(), free_port()
        site = Site(place, place / "www", f"http://127.0.0.1:{port}", 0, "wordpress")
        put_files(site.root, plugins)
        site.database = stack.enter_context(database(place))
        mysql = Site(place, place, "", site.database, "mysql")
        mysql.sql("CREATE DATABASE wordpress CHARACTER SET utf8mb4")
        site.configure()
        if os.geteuid() == 0:
            _give_away(place / "www/wp-content")
            for name in ("php.log", "debug.log"):
                (place / name).touch()
                (place / name).chmod(0o666)
        put_configurations(place, site.root, port, fpm)
        command = [program("php-fpm[0-9]*"), "--nodaemonize", "-y", str(place / "fpm.conf")]
        stack.enter_context(running([*command, "-c", "/etc/php"], fpm, place / "fpm.out"))
        command = [program("nginx"), "-c", str(place / "nginx.conf"), "-e", str(place / "n.log")]
        stack.enter_context(running(command, port, place / "nginx.out"))
        site.php(INSTALL.format(host=site.host, root=site.root), load=False)
        yield site


def _give_away(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        shutil.chown(path, "www-data", "www-data")
