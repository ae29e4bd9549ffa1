"""The policy of an answer, and the headers of a proxy."""

import requests


def policy_of(answer: requests.Response) -> dict[str, list[str]]:
    parts = [part.split() for part in answer.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in parts}


FORWARDED = {
    "X-Forwarded-Prefix": "/panel",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "chat.example.com",
}
