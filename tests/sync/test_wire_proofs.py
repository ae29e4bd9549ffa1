"""The sender of a hook: every proof that is accepted, and every proof that is not."""

from datetime import UTC, datetime, timedelta

import pytest

from panel.sync import wire
from panel.sync.wire import Refusal
from tests.sync.signed_hooks import BODY, OLD, SECRET, SECRETS, signed


def bearer(secret: str = SECRET) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def refused(headers: dict[str, str], body: bytes = BODY) -> int:
    with pytest.raises(Refusal) as error:
        wire.check_proof(headers, body, SECRETS)
    assert SECRET not in error.value.detail
    return error.value.status


@pytest.mark.parametrize("secret", SECRETS)
def test_every_accepted_secret_opens(secret: str) -> None:
    wire.check_proof(bearer(secret), BODY, SECRETS)
    wire.check_proof(signed(secret=secret), BODY, SECRETS)


def test_both_proofs_may_come_together() -> None:
    wire.check_proof(signed(secret=OLD) | bearer(SECRET), BODY, SECRETS)


def test_the_scheme_is_written_in_any_case() -> None:
    wire.check_proof({"authorization": f"bearer  {SECRET}"}, BODY, SECRETS)


def test_an_id_alone_is_no_signature() -> None:
    wire.check_proof(bearer() | {"webhook-id": "msg_1"}, BODY, SECRETS)


def test_one_of_several_signatures_is_enough() -> None:
    """The sender rotates its secret as well."""
    headers, other = signed(), signed(secret="x" * 30)
    headers["webhook-signature"] = f"{other['webhook-signature']} {headers['webhook-signature']}"
    wire.check_proof(headers, BODY, SECRETS)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {SECRET}",
        f"Bearer {SECRET}x",
        SECRET,
        f" Bearer {SECRET}",
        f"Bearer {SECRET} ",
        f"Bearer{SECRET}",
        f"Bearer\t{SECRET}",
        f"Bearer Bearer {SECRET}",
        f"{SECRET[:5]}Bearer {SECRET[5:]}",
        f"Token bearer {SECRET}",
        f"Bearer {SECRET[:-1]}",
        f"Bearer {SECRET}, Bearer wrong",
        f"Bearer {','.join(SECRETS)}",
        "Bearer \xe9\ud800",
    ],
)
def test_a_wrong_bearer_is_refused(header: str) -> None:
    assert refused({"authorization": header}) == 401


def test_no_proof_at_all_is_refused() -> None:
    assert refused({}) == 401


@pytest.mark.parametrize(
    "minutes", [-6, 6], ids=["a signature of yesterday", "a signature of tomorrow"]
)
def test_a_signature_at_the_wrong_time_is_refused(minutes: int) -> None:
    assert refused(signed(at=datetime.now(UTC) + timedelta(minutes=minutes))) == 401


@pytest.mark.parametrize("minutes", [-4, 4])
def test_clocks_may_differ_by_five_minutes(minutes: int) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    wire.check_proof(signed(at=at), BODY, SECRETS)


def test_a_signature_of_another_body_is_refused() -> None:
    assert refused(signed(body=BODY + b" ")) == 401


def test_a_signature_of_another_id_is_refused() -> None:
    assert refused(signed() | {"webhook-id": "msg_2"}) == 401


def test_a_signature_of_another_time_is_refused() -> None:
    later = str(int(datetime.now(UTC).timestamp()) + 1)
    assert refused(signed() | {"webhook-timestamp": later}) == 401


def test_a_signature_with_a_foreign_secret_is_refused() -> None:
    assert refused(signed(secret="x" * 30)) == 401


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp"])
def test_half_a_signature_is_refused(missing: str) -> None:
    headers = signed()
    del headers[missing]
    assert refused(headers) == 401


@pytest.mark.parametrize(
    "signature", ["", "v1", "v1,", "v1,%%%", "v2,abcd", "v1,abc", "v1,a,b", "v1,\xe9", " "]
)
def test_a_mangled_signature_is_refused(signature: str) -> None:
    assert refused(signed() | {"webhook-signature": signature}) == 401


@pytest.mark.parametrize("stamp", ["", "now", "nan", "inf", "1e400", "-1", "9" * 40])
def test_a_mangled_time_is_refused(stamp: str) -> None:
    assert refused(signed() | {"webhook-timestamp": stamp}) == 401


def test_a_right_bearer_does_not_save_a_wrong_signature() -> None:
    assert refused(bearer() | signed(secret="x" * 30)) == 401


def test_a_right_signature_does_not_save_a_wrong_bearer() -> None:
    assert refused(signed() | bearer("x" * 30)) == 401


def test_a_body_that_is_no_text_cannot_be_signed() -> None:
    assert refused(signed(), b"\xff\xfe") == 401
