"""The id of each request, made here or by a trusted proxy; it goes back with the answer."""

from flask import Flask, Response, request

from panel.logs import request_id
from panel.settings import Settings


def register(app: Flask, settings: Settings) -> None:
    """Call this before all other hooks of a request, so that a refused request has an id too."""

    def begin() -> None:
        number = request.headers.get(request_id.HEADER, "") if settings.trusted_proxies else ""
        request_id.begin(number)

    app.before_request(begin)
    app.after_request(_tell)
    app.teardown_request(lambda _error: request_id.end())


def _tell(answer: Response) -> Response:
    if request.endpoint != "static":  # a file's request needs no id
        answer.headers[request_id.HEADER] = request_id.current()
    return answer
