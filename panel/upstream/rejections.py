"""Answers that are no 2xx, or no JSON: the meaning of their status, and when to ask again.

An outside world whose words tell more has a function of its own (`NameRejection`).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from panel.errors import Missing, PanelError, Refused, Unauthorized, Unreadable, Unwell

LIMIT_SECONDS = 60.0  # Chatwoot and WordPress's plugins count their calls by the minute
LONGEST_PAUSE = 3600  # of a `Retry-After` that we believe


@dataclass(frozen=True)
class Rejection:
    """An answer that is no 2xx, or no JSON: `body` is the decoded JSON, None where it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any


# Returns None where the status alone decides.
NameRejection = Callable[[Rejection], PanelError | None]
# Headers of Cloudflare, SiteGround and AWS WAF, which ask for a human, some of them with status
# 202.
CHALLENGE_HEADERS = ("cf-mitigated", "sg-captcha", "x-amzn-waf-action")


def is_challenge(headers: Mapping[str, str]) -> bool:
    """Tell whether a firewall answered with a test for humans."""
    return any(name in headers for name in CHALLENGE_HEADERS)


def name_by_status(rejection: Rejection) -> PanelError:
    """Return the error by the status alone; see `NameRejection` for worlds that tell more."""
    status = rejection.status
    if status == 429 or status >= 500:
        return _name_trouble(status, rejection.headers.get("Retry-After"))
    errors: dict[int, PanelError] = {401: Unauthorized(), 403: Refused(), 404: Missing()}
    if status < 300:
        return Unreadable("unreadable", "not JSON")
    return errors.get(status) or Unreadable(f"http_{status}")


def _name_trouble(status: int, retry_after: str | None) -> Unwell:
    """Name an answer that tells of trouble. A limit without an end counts until its minute is
    over."""
    retry_at = _parse_retry_after(retry_after)
    if status != 429:
        return Unwell(f"http_{status}", f"status {status}", retry_at=retry_at)
    return Unwell("rate_limited", "status 429", retry_at=retry_at or time.time() + LIMIT_SECONDS)


def _parse_retry_after(header: str | None) -> float | None:
    """Return the time of `Retry-After` (seconds or date, RFC 9110, 10.2.3) in epoch seconds."""
    if not header:
        return None
    seconds = header.strip()
    if seconds.isascii() and seconds.isdigit():
        return time.time() + (
            min(int(seconds), LONGEST_PAUSE) if len(seconds) < 10 else LONGEST_PAUSE
        )
    try:
        return min(parsedate_to_datetime(header).timestamp(), time.time() + LONGEST_PAUSE)
    except (TypeError, ValueError, OverflowError):
        return None
