"""The addresses that are called, and how one of them is told in the log."""

from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

ROUTE = "rest_route"  # how WordPress is asked where its permalinks are plain
LONGEST_TOLD = 200
ACCOUNT = "api/v1/accounts/"  # before all that Chatwoot is asked for


def make_url(base: str, path: str) -> str:
    """The address of `path` below `base`.

    Below `https://shop.example.com/?rest_route=/middag-account/v1` the path belongs behind the
    value of `rest_route`, and any other parameter stays.
    """
    parts = urlsplit(base)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if ROUTE not in query:
        return urljoin(base.rstrip("/") + "/", path)
    query[ROUTE] = f"{query[ROUTE].rstrip('/')}/{path}"
    return urlunsplit(parts._replace(query=urlencode(query, safe="/", quote_via=quote)))


def tell_address(url: str) -> str:
    """Scheme, host and path. No query, which may hold anything, and no user. `ValueError`: none."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    text = f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
    return "".join(each if " " < each <= "~" else "?" for each in text)[:LONGEST_TOLD]


def name_document(path: str) -> str:
    """What is asked for, without ids and query, as calls and failures are counted by it."""
    parts = path.partition("?")[0].split("/")
    return "/".join(part for part in parts if not part.isdigit()).removeprefix(ACCOUNT)
