"""The breaker of a client, and the secrets that must not leak out of a call."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from panel.cache.backend import JsonSerializer
from panel.deadline import Deadline
from panel.errors import PanelError, Paused, Unreachable, Unwell
from panel.upstream.bodies import decode
from panel.upstream.circuit_breaker import CircuitBreaker
from panel.upstream.client import Client
from tests.conftest import wait_until
from tests.upstream.scripted import (
    HTML,
    Script,
    Scripted,
    Serve,
    answer,
    client,
    closed,
    scripted,
    seconds_of,
)

__all__ = ["scripted"]  # a fixture


# -- the breaker -----------------------------------------------------------------------------------


def broken_client(server: Scripted, pause: float = 0.3, limit: int = 3) -> Client:
    caller = client(server)
    caller.breaker = CircuitBreaker(limit=limit, own_limit=limit, subjects=1, pause=pause)
    for _ in range(limit):
        with pytest.raises(PanelError):
            caller.send("GET", "x")
    return caller


def test_the_breaker_opens_and_says_when_it_will_be_tried_again(scripted: Serve) -> None:
    server = scripted(answer(b"", "500 Error"))
    caller = broken_client(server, pause=20)
    with pytest.raises(Paused) as error:
        caller.send("GET", "x")
    assert error.value.retry_at == pytest.approx(time.time() + 20, abs=2)
    assert caller.breaker.paused_until == error.value.retry_at
    assert len(server.requests) == 3


def test_a_paused_read_is_not_retried_but_told_at_once(scripted: Serve) -> None:
    caller = broken_client(scripted(answer(b"", "500 Error")), pause=20)
    assert seconds_of(lambda: caller.get("x")) < 0.5


def test_one_probe_goes_first_and_its_failure_pauses_again(scripted: Serve) -> None:
    server = scripted(answer(b"", "500 Error"))
    caller = broken_client(server)
    wait_until(lambda: caller.breaker.paused_until == 0)
    outcomes: list[str] = []

    def call() -> None:
        with pytest.raises(PanelError) as error:
            caller.send("GET", "x")
        outcomes.append(error.value.code)

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["http_500", *["paused"] * 4]
    with pytest.raises(Paused):
        caller.send("GET", "x")


def test_a_probe_that_succeeds_closes_the_breaker(scripted: Serve) -> None:
    bad, good = answer(b"", "500 Error"), answer(b"{}")
    server = scripted(bad, bad, bad, good)
    caller = broken_client(server)
    wait_until(lambda: caller.breaker.paused_until == 0)
    assert [caller.send("GET", "x").status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("status", ["200 OK", "401 No", "403 No", "404 No", "422 No"])
def test_a_sign_of_life_forgives_the_failures_before_it(scripted: Serve, status: str) -> None:
    bad = answer(b"", "500 Error")
    server = scripted(bad, bad, answer(b"{}", status), bad, bad, answer(b"{}"))
    caller = client(server)
    caller.breaker = CircuitBreaker(limit=3, own_limit=3, subjects=1, pause=20)
    for _ in range(5):
        with suppress(PanelError):
            caller.send("GET", "x")
    assert caller.send("GET", "x").status == 200


def test_being_rate_limited_opens_no_breaker(scripted: Serve) -> None:
    server = scripted(answer(b"", "429 Slow", "Retry-After: 60"))
    caller = broken_client(server, pause=20)
    with pytest.raises(Unwell, match="rate_limited"):
        caller.send("GET", "x")


def test_a_polite_answer_to_the_probe_closes_the_breaker(scripted: Serve) -> None:
    bad, busy = answer(b"", "500 Error"), answer(b"", "429 Slow")
    caller = broken_client(scripted(bad, bad, bad, busy, answer(b"{}")))
    wait_until(lambda: caller.breaker.paused_until == 0)
    with pytest.raises(Unwell, match="rate_limited"):
        caller.send("GET", "x")
    assert caller.send("GET", "x").status == 200


def test_silence_opens_the_breaker_too(scripted: Serve) -> None:
    caller = broken_client(scripted(closed), pause=20)
    with pytest.raises(Paused):
        caller.send("GET", "x")


def test_running_out_of_time_before_the_call_is_no_failure_of_the_host(scripted: Serve) -> None:
    caller = client(scripted(answer()))
    caller.breaker = CircuitBreaker(limit=1, own_limit=1, subjects=1, pause=20)
    with pytest.raises(Unreachable):
        caller.get("x", by=Deadline(0))
    assert caller.get("x").status == 200


# -- leaks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script", [closed, answer(HTML), answer(b"", "500 Error"), answer(b"{}", "401 No")]
)
def test_no_error_tells_the_secret(scripted: Serve, script: Script) -> None:
    with pytest.raises(PanelError) as error:
        client(scripted(script)).send("GET", "x")
    assert "our-secret" not in f"{error.value!r} {error.value} {error.value.detail}"


def test_no_cookie_of_the_other_side_is_sent_back(scripted: Serve) -> None:
    server = scripted(answer(b"{}", "200 OK", "Set-Cookie: visitor=42; Path=/"))
    caller = client(server)
    caller.get("x")
    caller.get("x")
    assert "visitor" not in server.requests[1]


def test_neither_a_netrc_nor_a_proxy_of_the_machine_is_used(
    scripted: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = scripted(answer()), scripted(answer())
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    client(server).get("x")
    assert "Authorization: Bearer our-secret" in server.requests[0]
    assert proxy.requests == []


def test_a_number_of_endless_digits_is_read_as_a_text_and_the_rest_as_it_is() -> None:
    """A visitor can write such a number into an attribute."""
    raw = b'{"id": 7, "custom_attributes": {"zz": ' + b"9" * 5000 + b"}}"
    assert decode(raw) == ({"id": 7, "custom_attributes": {"zz": "9" * 5000}}, True)
    assert decode(b'{"id": ' + b"9" * 5000 + b', "name": "\\ud800"}') == (None, False)
    assert decode(b'{"id": ' + b"9" * 5000 + b', "total": NaN}') == (None, False)


@pytest.mark.parametrize("endless", [b"", b', "zz": ' + b"9" * 5000])
@pytest.mark.parametrize(
    "digits", ["80.5", "100.0", "0.10000000000000001", "1.25E+3", "1E+400", "-0.0"]
)
def test_a_fraction_keeps_its_digits_through_the_cache(digits: str, endless: bytes) -> None:
    body, readable = decode(b'{"total": ' + digits.encode() + endless + b"}")
    assert readable
    assert str(body["total"]) == digits
    serializer = JsonSerializer()
    assert str(serializer.loads(serializer.dumps(body))["total"]) == digits


def test_an_exponent_without_end_is_read_as_a_text() -> None:
    digits = "1e" + "9" * 19
    assert decode(b'{"total": ' + digits.encode() + b"}") == ({"total": digits}, True)


def test_a_byte_order_mark_before_the_answer_is_skipped() -> None:
    assert decode(b'\xef\xbb\xbf{"id": 7}') == ({"id": 7}, True)
    assert decode(b"\xef\xbb\xbf") == (None, True)
    assert decode(b"\n\xef\xbb\xbf\r\n\xef\xbb\xbf\xef\xbb\xbf [7] \n") == ([7], True)
    assert decode(b"\n\xef\xbb\xbf \xef\xbb\xbf\n") == (None, True)
