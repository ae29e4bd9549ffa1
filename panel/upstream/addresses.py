"""The addresses of calls, and their form in the log."""

from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

ROUTE = "rest_route"  # the parameter for the path, where WordPress's permalinks are plain
LONGEST_TOLD = 200
ACCOUNT = "api/v1/accounts/"  # the beginning of the paths of Chatwoot's API


def make_url(base: str, path: str) -> str:
    """Return the address of `path` below `base`.

    Below `https://shop.example.com/?rest_route=/middag-account/v1` the path is appended to the
    value of `rest_route`, and other parameters stay.
    """
    parts = urlsplit(base)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if ROUTE not in query:
        return urljoin(base.rstrip("/") + "/", path)
    query[ROUTE] = f"{query[ROUTE].rstrip('/')}/{path}"
    return urlunsplit(parts._replace(query=urlencode(query, safe="/", quote_via=quote)))


def tell_address(url: str) -> str:
    """Return scheme, host and path. The query is left out, since it may hold anything, and the user
    too. A text that is no address raises `ValueError`."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    text = f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
    plain = (character if " " < character <= "~" else "?" for character in text[:LONGEST_TOLD])
    return "".join(plain)


def name_document(path: str) -> str:
    """Return the path without ids and query, by which calls and failures are counted."""
    parts = path.partition("?")[0].split("/")
    return "/".join(part for part in parts if not part.isdigit()).removeprefix(ACCOUNT)
