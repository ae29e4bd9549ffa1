"""Deep links: where a record stands in the back office's own screens.

A setting says it. Else the screen is looked for on the host that MIDDAG_API_URL names, and on no
other: WooCommerce's screen of an order, with its own tables for orders (HPOS), which MIDDAG Account
uses; and MIDDAG Account's of an organization, which its documentation shows. Of quotes and licenses
no screen is known, so they have no link.
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from panel.settings import Settings

SCREENS = {
    "order": "admin.php?page=wc-orders&action=edit&id={id}",
    "organization": "admin.php?page=middag-organizations&route=/organizations/{id}",
}
# Below which WordPress's REST API lies, whatever its prefix is called.
REST_PATH = re.compile(r"(?P<site>.*?)(/index\.php)?/[^/]+/middag-account/v[0-9]+")


def make_link(settings: Settings, record: str, number: int) -> str:
    """The address of one record, or nothing. `record`: a row of `settings.RECORDS`."""
    given = settings.links.get(record, "")
    if not given and record not in settings.unlinked:
        given = derive_links(settings.middag_api_url).get(record, "")
    return given.replace("{id}", str(number))


@lru_cache(maxsize=16)
def derive_links(api_url: str) -> dict[str, str]:
    """Nothing where the address does not tell where the site is.

    A name without a dot is one of an inner network, which no agent's browser knows.
    """
    address, _, query = api_url.partition("?")  # of plain permalinks: `/?rest_route=…`
    parts = urlsplit(address)
    found = REST_PATH.fullmatch(parts.path)
    is_public = "." in (parts.hostname or "") or parts.hostname in ("localhost", "::1")
    if not is_public or not (found or query):
        return {}
    site = found["site"] if found else parts.path.rstrip("/").removesuffix("/index.php")
    base = f"{parts.scheme}://{parts.netloc}{site}/wp-admin"
    return {record: f"{base}/{screen}" for record, screen in SCREENS.items()}
