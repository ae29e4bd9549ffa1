"""The part of Rails below Chatwoot: JSON, moments, and answers to broken or unknown calls.

Source: the recorded calls; ActionDispatch::PublicExceptions of Rails 7.1; rack_attack.rb.
"""

from __future__ import annotations

import json
import re
import time

from werkzeug.wrappers import Response

from panel.demo.world import Call, Json

_HALF = re.compile("[\ud800-\udfff]")
_TOO_SLOW = "The request took too long to complete. Please try again."
_NOT_FOUND_PAGE = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<title>Page not found</title>\n</head>'
)
_DASHBOARD = (
    "<!DOCTYPE html>\n<html>\n<head>\n<title>Chatwoot</title>\n</head>\n<body></body></html>"
)
_NO_JSON = "Please use API routes instead of dashboard routes for JSON requests"
SERVER_ERROR: Json = {"status": 500, "error": "Internal Server Error"}


def encode(document: object) -> str:
    """Encode in UTF-8, with six bytes for each of the three signs of HTML.

    A lone surrogate is no UTF-8; it is escaped, so that a test may let one through.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, _escape(sign))
    return _HALF.sub(lambda half: _escape(half[0]), text)


def _escape(sign: str) -> str:
    return f"\\u{ord(sign):04x}"


def write_moment(moment: float) -> str:
    """Return a moment in unix seconds, as it stands in JSON where it is no number."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1000):03}Z"


def respond(status: int, document: str | None) -> Response:
    """Make an answer of a controller; a body that is None is `head :ok` or `head :no_content`."""
    if document is None and status in (502, 503, 504):
        return fail(status)
    if status == 204:
        bare = Response(status=204)
        del bare.headers["Content-Type"]
        return bare
    if document is None:
        return Response("", status, content_type="application/json")
    # Another part of Rails answers an error that no code rescued, and spells it in capitals.
    charset = "UTF-8" if status == 500 else "utf-8"
    return Response(document, status, content_type=f"application/json; charset={charset}")


def fail(status: int) -> Response:
    """Make a failure of Chatwoot, or of a server in front of it.

    429 is the throttle's plain text; 422 the database's time-out (since 4.16; before, it was a
    500); 500 an error that no code rescued. The others are the pages of a proxy.
    """
    if status == 429:
        return Response("Retry later\n", 429, content_type="text/plain")
    if status == 422:
        return respond(422, encode({"error": _TOO_SLOW}))
    if status == 500:
        return respond(500, encode(SERVER_ERROR))
    html = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
    return Response(html, status, content_type="text/html")


def refuse_path(call: Call) -> Response:
    """Answer an unknown address: a page, or JSON where the call accepts nothing else.

    Below /app every address is the dashboard, which is a page and never JSON.
    """
    wants_json = "application/json" in call.headers.get("accept", "")
    if call.method == "GET" and f"{call.path}/".startswith("/app/"):
        if wants_json:
            return respond(406, encode({"error": _NO_JSON}))
        return Response(_DASHBOARD, 200, content_type="text/html; charset=utf-8")
    if wants_json:
        body = encode({"status": 404, "error": "Not Found"})
        return Response(body, 404, content_type="application/json; charset=UTF-8")
    return Response(_NOT_FOUND_PAGE, 404, content_type="text/html; charset=UTF-8")
