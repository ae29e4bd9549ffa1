"""A single call: connection, redirects, size limit, and the meaning of its answer.

Only this module and `transport` import `requests`. No session of requests is used. A session would
keep cookies, follow redirects and read their bodies past any deadline, replace our Authorization by
.netrc, and take a proxy from the environment.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from requests.utils import default_headers

from panel import exact_json
from panel.deadline import READ_SECONDS, Deadline
from panel.errors import Blocked, PanelError, Unreachable, Unreadable
from panel.logs import request_id
from panel.upstream.addresses import tell_address
from panel.upstream.bodies import (
    LARGEST_ANSWER,
    LARGEST_IN_PARTS,
    BodyReader,
    decode,
    decode_parts,
)
from panel.upstream.cache_headers import find_age
from panel.upstream.rejections import NameRejection, Rejection, is_challenge, name_by_status
from panel.upstream.transport import DIRECT, Egress, TimelyAdapter

# The name and the version are those of pyproject.toml. Many firewalls refuse the name that the
# library would send.
USER_AGENT = "middag-contact-panel/0.1.0"
CONNECT_SECONDS = 1.0
REDIRECTS = 3
POOL = 64


@dataclass(frozen=True)
class Answer:
    """A 2xx: `body` is the decoded JSON (`None` for an empty body).

    `age`: see `cache_headers.find_age`.
    """

    status: int
    body: Any
    age: float | None = 0.0


class Exchange:
    """Calls with fixed headers below one base address."""

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        name_rejection: NameRejection = lambda _: None,
        egress: Egress = DIRECT,
    ) -> None:
        """`name_rejection`: returns the error for an answer that is no JSON, or no 2xx."""
        self._base = base
        ours = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        self._headers = {**default_headers(), **ours, **headers}
        self._name_rejection = name_rejection
        self._adapter = TimelyAdapter(egress, pool_connections=4, pool_maxsize=POOL)

    def _exchange(
        self,
        method: str,
        url: str,
        by: Deadline,
        shape: type[msgspec.Struct] | None = None,
        **kwargs: Any,
    ) -> Answer:
        for _ in range(REDIRECTS + 1):
            with self._open(method, url, by, **kwargs) as response, BodyReader(by) as reader:
                if not response.is_redirect:
                    raw = reader.read(response, LARGEST_IN_PARTS if shape else LARGEST_ANSWER)
                    return self._judge(response, raw, shape)
                rejection = Rejection(response.status_code, response.headers, None)
                if error := self._name_rejection(rejection):
                    raise error
                url = self._follow(url, response.headers["Location"], method)
            kwargs.pop("params", None)  # the new address already has its parameters
        raise Unreadable("redirects", f"too many redirects, the last one to {tell_address(url)}")

    def _judge(
        self, response: requests.Response, raw: bytearray, shape: type[msgspec.Struct] | None
    ) -> Answer:
        status, headers = response.status_code, response.headers
        is_answer = 200 <= status < 300
        body, readable = decode_parts(raw, shape) if shape and is_answer else decode(raw)
        if is_answer and readable and not is_challenge(headers):
            return Answer(status, body, find_age(headers))
        rejection = Rejection(status, headers, body)
        error = self._name(rejection)
        error.body, error.detail = body, error.detail or f"status {status}"
        raise error

    def _name(self, rejection: Rejection) -> PanelError:
        if is_challenge(rejection.headers):
            return Blocked("blocked", f"status {rejection.status}, a firewall asks for a human")
        return self._name_rejection(rejection) or name_by_status(rejection)

    def _follow(self, url: str, location: str, method: str) -> str:
        try:
            target = urljoin(url, location)
            elsewhere = urlsplit(target)[:2] != urlsplit(self._base)[:2]
            detail = f"to {tell_address(target)}"
        except ValueError:
            raise Unreadable("redirected", "a redirect to nowhere") from None
        if elsewhere:
            # The Bearer must not be sent to another host, nor to another scheme or port.
            raise Unreadable("redirected", detail)
        if method != "GET":
            raise Unreadable("redirected", f"a write is not repeated elsewhere: {detail}")
        return target

    @contextmanager
    def _open(
        self, method: str, url: str, by: Deadline, **kwargs: Any
    ) -> Iterator[requests.Response]:
        seconds = by.left() or 0.001
        own_headers = kwargs.pop("headers", None) or {}
        headers = {**self._headers, **request_id.make_headers(), **own_headers}
        # Values of others are sent back as they came, to the digit: `json` knows no `Decimal`.
        if (body := kwargs.pop("json", None)) is not None:
            kwargs["data"], headers["Content-Type"] = exact_json.encode(body), "application/json"
        try:
            prepared = requests.Request(method, url, headers=headers, **kwargs).prepare()
            timeout = (min(CONNECT_SECONDS, seconds), min(READ_SECONDS, seconds))
            with self._adapter.send(prepared, stream=True, timeout=timeout) as response:
                yield response
        except requests.exceptions.ContentDecodingError as error:
            raise Unreadable("unreadable", type(error).__name__) from error
        except requests.Timeout as error:
            raise Unreachable("timeout", type(error).__name__) from error
        except (requests.RequestException, OSError) as error:
            code = "network" if by.left() else "timeout"
            raise Unreachable(code, type(error).__name__) from error
