"""A single call to an outside world, which shows what is wrong on the way to it.

The call goes past circuit breaker, cache and retry. Its result is reported unchanged: the status,
the headers, and the error that the usual client would have raised.
"""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from panel.deadline import Deadline
from panel.errors import PanelError
from panel.upstream.client import Client
from panel.upstream.rejections import NameRejection
from panel.upstream.transport import DIRECT, Egress

INSPECT_SECONDS = 4.0
# Parts of the libraries' sentences with their meaning, the clearest first.
NETWORK_CAUSES = {
    "certificate has expired": "its TLS certificate has expired",
    "self-signed certificate in certificate chain": "an authority that this machine does not know "
    "vouches for its TLS certificate",
    "self-signed": "its TLS certificate is self-signed",
    "self signed": "its TLS certificate is self-signed",
    "unable to get local issuer": "an authority that this machine does not know vouches for its "
    "TLS certificate",
    "mismatch": "its TLS certificate is for another name",
    "wrong_version_number": "that port speaks http, not https",
    "record layer failure": "that port speaks http, not https",
    "packet length too long": "that port speaks http, not https",
    "proxyerror": "the outgoing proxy cannot be used",
    "nameresolution": "its name is not known (DNS)",
    "name or service not known": "its name is not known (DNS)",
    "connection refused": "nobody listens there (connection refused)",
    "unreachable": "there is no way to its network",
    "no route to host": "there is no way to its network",
    "timed out": "it did not answer in time",
    "ssl": "TLS with it fails",
    "reset": "it cut the connection",
    "aborted": "it cut the connection",
    "eof": "it cut the connection",
}


@dataclass(frozen=True)
class Inspection:
    """`status`: 0 without an answer; `error`: None for a 2xx with JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any
    error: PanelError | None

    @property
    def skew(self) -> float | None:
        """Return how many seconds the other clock is ahead; None for an answer without a date."""
        try:
            return parsedate_to_datetime(self.headers.get("Date") or "").timestamp() - time.time()
        except (TypeError, ValueError):
            return None


class Inspector(Client):
    """A client for one call. The client remembers the status and headers of the last answer."""

    _status = 0
    _seen: Mapping[str, str] = {}

    @contextmanager
    def _open(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        with super()._open(*args, **kwargs) as response:
            self._status, self._seen = response.status_code, response.headers
            yield response

    def look(self, path: str, **options: Any) -> Inspection:
        """Call once. No error is raised."""
        body, failure = None, None
        try:
            body = self._attempt("GET", path, Deadline(INSPECT_SECONDS), **options).body
        except PanelError as error:
            failure = error
        return Inspection(self._status, self._seen, body, failure)


def inspect(
    base: str,
    path: str,
    identity: Mapping[str, str],
    name_rejection: NameRejection = lambda _: None,
    egress: Egress = DIRECT,
    **options: Any,
) -> Inspection:
    """GET `path` below `base` once. `identity`: the headers that tell who is calling.

    `options`: `params`, and `headers` for the others.
    """
    return Inspector(base, identity, name_rejection=name_rejection, egress=egress).look(
        path, **options
    )


def explain_network(error: BaseException) -> str:
    """Return why no answer came, by the libraries' own words; empty where they are unknown."""
    words, cause = "", error.__cause__ or error.__context__
    while cause is not None:
        words += f" {type(cause).__name__} {cause!r}".lower()
        cause = cause.__cause__ or cause.__context__
    return next((meaning for part, meaning in NETWORK_CAUSES.items() if part in words), "")


def read_expiry(url: str, certificates: str = "") -> float | None:
    """Return the end of the TLS certificate (epoch seconds); None for http, or without TLS."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return None
    context = ssl.create_default_context(cafile=certificates or None)
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), INSPECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
        ):
            ends = (secure.getpeercert() or {}).get("notAfter")
            return ssl.cert_time_to_seconds(str(ends)) if ends else None
    except (OSError, ValueError):
        return None
