"""The socket deadline: an adapter of requests whose answers have to arrive before a moment.

requests and urllib3 know a timeout for each read of a socket, and none for a whole answer. So a
server that sends a byte every second would hold a thread for hours. For that the adapter replaces
the reader of http.client and what urllib3 makes of it (docs/decisions.md, 2026-11-23). The row
`hanging` of the benchmark shows the deadline at work.
"""

import io
import socket
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from panel.deadline import READ_SECONDS, Deadline


class _TimelyReader(io.RawIOBase):
    """Reads from a socket until a moment; a socket's own timeout would start anew at each byte."""

    def __init__(self, sock: socket.socket, by: Deadline) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self.by = by

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int | None:
        seconds = self.by.left()
        if not seconds:
            raise TimeoutError
        self._sock.settimeout(min(seconds, READ_SECONDS))
        return self._raw.readinto(into)

    def close(self) -> None:
        self._raw.close()
        super().close()


class TimelyAnswer(HTTPResponse):
    """An answer whose headers must come before the read timeout ends, however slowly they drip."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self._timely = _TimelyReader(sock, Deadline(sock.gettimeout() or READ_SECONDS))
        self.fp = io.BufferedReader(self._timely)

    def until(self, by: Deadline) -> None:
        """Require that the body comes before this deadline."""
        self._timely.by = by


class _Plain(HTTPConnection):
    response_class = TimelyAnswer


class _Secure(HTTPSConnection):
    response_class = TimelyAnswer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


POOLS = {"http": _PlainPool, "https": _SecurePool}


@dataclass(frozen=True)
class Egress:
    """The way from us to an outside world.

    `certificates`: the file of the trusted authorities; empty: the usual ones. `proxy`: an HTTP
    proxy on the way; empty: none, even if the environment names one.
    """

    certificates: str = ""
    proxy: str = ""


DIRECT = Egress()


class TimelyAdapter(HTTPAdapter):
    def __init__(self, egress: Egress = DIRECT, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._verify = egress.certificates or True
        self._proxies = {"http": egress.proxy, "https": egress.proxy} if egress.proxy else {}

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs |= {"verify": self._verify, "proxies": self._proxies}
        return super().send(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager
