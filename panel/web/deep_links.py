"""Deep links: where a record stands in the back office's own screens.

A setting may give the address of a screen. Otherwise the screen is looked for only on the host that
MIDDAG_API_URL names: WooCommerce's screen of an order, and MIDDAG Account's screen of an
organization, which its documentation shows. No screen of quotes or licenses is known, so they have
no link.

The screen of an order is that of WooCommerce's own tables for orders (HPOS), which MIDDAG Account
uses. Where a shop still keeps its orders as posts, WooCommerce itself leads from there to the
post's screen (its class `COTRedirectionController`).
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from panel.settings import Settings

SCREENS = {
    "order": "admin.php?page=wc-orders&action=edit&id={id}",
    "organization": "admin.php?page=middag-organizations&route=/organizations/{id}",
}
# WordPress's REST API lies below this path, whatever its prefix is called.
REST_PATH = re.compile(r"(?P<site>.*?)(/index\.php)?/[^/]+/middag-account/v[0-9]+")


def make_link(settings: Settings, record: str, number: int) -> str:
    """Return the address of one record, or an empty text. `record`: one of `variables.RECORDS`."""
    address = settings.links.get(record, "")
    if not address and record not in settings.unlinked:
        address = derive_links(settings.middag_api_url).get(record, "")
    return address.replace("{id}", str(number))


@lru_cache(maxsize=16)
def derive_links(api_url: str) -> dict[str, str]:
    """Return no links where the address does not tell where the site is.

    A name without a dot belongs to an inner network, which no agent's browser reaches.
    """
    address, _, query = api_url.partition("?")  # of plain permalinks: `/?rest_route=…`
    parts = urlsplit(address)
    match = REST_PATH.fullmatch(parts.path)
    is_public = "." in (parts.hostname or "") or parts.hostname in ("localhost", "::1")
    if not is_public or not (match or query):
        return {}
    site = match["site"] if match else parts.path.rstrip("/").removesuffix("/index.php")
    base = f"{parts.scheme}://{parts.netloc}{site}/wp-admin"
    return {record: f"{base}/{screen}" for record, screen in SCREENS.items()}
