"""A record of the requests, console messages and errors of a window."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, WebError

# The page says it by its console, so that frames of other sites are heard too; bound to the
# document before any script of the page runs, and not itself subject to the page's policy.
VIOLATION = "securitypolicyviolation "
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.debug("securitypolicyviolation " + JSON.stringify({
    page: event.documentURI, directive: event.effectiveDirective, blocked: event.blockedURI,
    sample: event.sample, source: event.sourceFile + ":" + event.lineNumber,
  })));
"""


@dataclass(frozen=True)
class Sent:
    """One request as it left the browser; `headers` are those of the wire, names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: str

    def __contains__(self, text: str) -> bool:
        return text in repr((self.url, self.headers, self.body))


@dataclass
class Seen:
    """The traffic of one window (all its frames and pages), from its first request on."""

    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # console errors, uncaught exceptions
    violations: list[dict[str, str]] = field(default_factory=list)
    _requests: list[Request] = field(default_factory=list)

    def sent(self, part: str = "") -> list[Sent]:
        """Return every request whose address contains `part`, in order; waits for answers under
        way.

        Call it while the page is open. A request that the policy blocks is in `violations` alone.
        """
        return [_sent(request) for request in self._requests if part in request.url]

    def forget(self) -> None:
        """Empty the record, so that it holds the requests of the next step alone."""
        for record in (self.console, self.errors, self.violations, self._requests):
            record.clear()

    @property
    def complaints(self) -> list[str]:
        """Return errors and violations, without Chromium's own line for an answer of 4xx or 5xx.

        Also without htmx's line for a request that was under way when Chatwoot removed the frame:
        an open panel asks every other second, so each switch of a conversation may cut one off.
        """
        expected = ("Failed to load resource", "htmx: htmx:error: Failed to fetch")
        own = [line for line in self.errors if not line.startswith(expected)]
        return own + [f"violation: {violation}" for violation in self.violations]

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("request", self._note)
        context.on("console", self._hear)
        context.on("weberror", self._fail)

    def _note(self, request: Request) -> None:
        self._requests.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.text.startswith(VIOLATION):
            self.violations.append(json.loads(message.text.removeprefix(VIOLATION)))
            return
        self.console.append(f"{message.type}: {message.text}")
        if message.type == "error":
            self.errors.append(message.text)

    def _fail(self, error: WebError) -> None:
        self.errors.append(str(error.error))


def _sent(request: Request) -> Sent:
    # JavaScript does not see Origin, Referer and Cookie, so the headers are those of the wire.
    return Sent(request.method, request.url, request.all_headers(), request.post_data or "")


@dataclass(frozen=True)
class Window:
    """A page in a fresh profile, and what it did."""

    page: Page
    seen: Seen


OpenWindow = Callable[..., Window]
