"""An anonymous visitor of the website, who speaks to the built-in Chatwoot as a browser does."""

from typing import Any

import requests

from panel.demo.world import Json


class Visitor:
    """A visitor with the values of the website's page: Chatwoot's address and the website's
    token."""

    def __init__(self, chat_url: str, website: str = "website-1") -> None:
        self._at = f"{chat_url}/api/v1/widget"
        self._website = {"website_token": website}
        self._token = ""
        self._token = self._call("POST", "config").json()["website_channel_config"]["auth_token"]

    def _call(self, method: str, path: str, **body: Any) -> requests.Response:
        headers = {"X-Auth-Token": self._token}
        return requests.request(
            method,
            f"{self._at}/{path}",
            json=body,
            params=self._website,
            headers=headers,
            timeout=9,
        )

    def says(self, **keys: Any) -> requests.Response:
        """Call `setUser`, without a signature unless one is given.

        A visitor who was another person in this browser gets a new token, which the browser keeps.
        """
        answer = self._call("PATCH", "contact/set_user", **keys)
        if answer.ok:
            self._token = answer.json().get("widget_auth_token", self._token)
        return answer

    def types(self, **keys: Any) -> requests.Response:
        """Type into the form for e-mail or phone; `custom_attributes` are written the same way."""
        return self._call("PATCH", "contact", **keys)

    def reads(self) -> Json:
        """Return the whole row of the contact that this visitor is now."""
        answer = self._call(
            "POST", "contact/destroy_custom_attributes", custom_attributes=["nothing"]
        )
        row: Json = answer.json()
        return row

    def starts(self, text: str = "Hello", **form: Any) -> Json:
        """Send the pre-chat form and a first message; returns the conversation with the contact."""
        page = {"referer_url": "https://site.example/", "timestamp": "2026-11-29"}
        message = {"content": text, **page}
        answer = self._call("POST", "conversations", contact=form, message=message)
        talk: Json = answer.json()
        return talk

    def writes(self, text: str) -> Json:
        """Write one more message; returns it as Chatwoot answers."""
        answer: Json = self._call("POST", "messages", message={"content": text}).json()
        return answer

    def claims(self, **attributes: Any) -> requests.Response:
        """Write the conversation's attributes, which replaces all of them."""
        return self._call(
            "POST", "conversations/set_custom_attributes", custom_attributes=attributes
        )
