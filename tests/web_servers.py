"""A real nginx and a real Apache before a back office, each with a folder and a port of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import API, wait_until
from tests.ports import free_port

NGINX = """daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
{user}
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/pages keys_zone=pages:1m;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {office}; {rules} }}
    }}
}}
"""
# Apache's plugin is a script that repeats its request in WordPress's form.
APACHE = """ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule rewrite_module {modules}/mod_rewrite.so
LoadModule cgi_module {modules}/mod_cgi.so
User nobody
Group nogroup
ScriptAlias {api} {folder}/plugin.sh
<Directory {folder}>
    Options FollowSymLinks ExecCGI
    Require all granted
    {rules}
</Directory>
"""
PLUGIN = """#!/bin/sh
if [ -z "$HTTP_AUTHORIZATION" ]; then
    printf 'Status: 401\\r\\nContent-Type: application/json\\r\\n\\r\\n'
    printf '{"code":"unauthorized","message":"User not authenticated.","data":{"status":401}}'
    exit
fi
case "$PATH_INFO" in
    /organizations/*) data='{"id":'${PATH_INFO##*/}',"name":"Firm"}' ;;
    *) data='[]' ;;
esac
printf 'Content-Type: application/json\\r\\n\\r\\n{"success":true,"data":%s}' "$data"
"""
APACHE_MODULES = Path("/usr/lib/apache2/modules")


@contextmanager
def nginx_before(office: str, rules: str) -> Iterator[str]:
    """Yield the address of an nginx that passes all requests on, except for these `rules`."""
    program, port = _find("nginx"), free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = {"folder": folder, "user": user, "port": port, "office": office, "rules": rules}
        (folder / "nginx.conf").write_text(NGINX.format(**words))
        command = [program, "-e", "stderr", "-p", name, "-c", str(folder / "nginx.conf")]
        with _running(command, port):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def apache_before_plugin(rules: str) -> Iterator[str]:
    """Yield the address of an Apache that runs a plugin by CGI, as it runs PHP-FPM by FastCGI."""
    program, port = _find("apache2"), free_port()
    if not APACHE_MODULES.is_dir():
        pytest.skip("no modules of Apache here (tests/machine.sh)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # Apache's processes run as the user nobody
        words = {"folder": folder, "port": port, "modules": APACHE_MODULES, "api": API}
        (folder / "apache.conf").write_text(APACHE.format(**words, rules=rules))
        (folder / "plugin.sh").write_text(PLUGIN)
        (folder / "plugin.sh").chmod(0o755)
        command = [program, "-d", name, "-f", str(folder / "apache.conf"), "-DFOREGROUND"]
        with _running(command, port):
            yield f"http://127.0.0.1:{port}"


def _find(name: str) -> str:
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    return shutil.which(name, path=path) or pytest.skip(f"no {name} here (tests/machine.sh)")


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    # Apache ends its whole process group when it stops, so it needs a group of its own.
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: _listens(port), 20)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
