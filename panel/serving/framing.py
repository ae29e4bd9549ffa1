"""Framing: how much of a request has arrived (RFC 9112). No byte is looked at twice.

`RequestScan` only tells when a whole request is there. gunicorn's parser then reads the request,
and gets these bytes and no others. Where the two disagree, the parser meets an early end and
gunicorn closes the connection: no thread waits, and no byte is taken for another request.
"""

import re
from enum import Enum

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 1024 * 1024
# The largest body of a webhook that carries Chatwoot's signature (`sync.chatwoot_hooks`). A webhook
# repeats the text of a mail, and writes each `<` in six bytes: a mail of 1.8 MB makes 8 MB.
LARGEST_WEBHOOK = 8 * 1024 * 1024
WEBHOOK, SIGNATURE = b"post /sync/chatwoot ", b"\nx-chatwoot-signature:"
LONGEST_CHUNK_LINE = 1024
# The head is searched in lower case, and for the words before the patterns. Patterns that ignore
# case took half as long as gunicorn takes for all of a head.
CONTENT_LENGTH, LENGTH = b"\ncontent-length:", re.compile(rb"[ \t]*([0-9]{1,18})[ \t]*\r?\n")
TRANSFER_ENCODING, EXPECT = b"\ntransfer-encoding:", b"\nexpect:"
CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,8})[ \t]*(;.*)?", re.IGNORECASE)


class Arrival(Enum):
    """The part of a request that has arrived."""

    HEAD = "a part of its head, or nothing"
    BODY = "its head and a part of its body"
    WHOLE = "all of it"
    BODY_TOO_LARGE = "its head; its body announces more than we read"
    CHUNKS_TOO_LARGE = "its head; its body has grown larger than we read"
    HEAD_TOO_LARGE = "more than a head may have"


class RequestScan:
    """The request at the beginning of the received bytes; `look` again when more have come."""

    def __init__(self) -> None:
        self.awaits_continue = self.is_chunked = False
        self.body_at: int | None = None  # where the body begins, once the head is there
        self._end: int | None = 0  # where a body of known length ends; None while it is chunked
        self._next_chunk = 0
        self._searched = 0
        self._largest = LARGEST_BODY

    def is_huge(self, data: bytearray) -> bool:
        """Tell whether the body is, or will be, larger than any body but a webhook's may be."""
        return self.body_at is not None and (
            max(self._end or 0, len(data)) - self.body_at > LARGEST_BODY
        )

    def is_large(self, data: bytearray) -> bool:
        """Tell whether the body is, or will be, larger than a head may be."""
        return self.body_at is not None and (
            max(self._end or 0, len(data)) - self.body_at > LARGEST_HEAD
        )

    def look(self, data: bytearray) -> Arrival:
        if self.body_at is None:
            end = self._find_head_end(data)
            if end < 0:
                return Arrival.HEAD_TOO_LARGE if len(data) > LARGEST_HEAD else Arrival.HEAD
            self._read_head(bytes(data[:end].lower()))
        if self._end is None:
            self._end = self._find_last_chunk(data)
        return self._judge(len(data), self.body_at or 0)

    def _find_head_end(self, data: bytearray) -> int:
        """Return the end of the head; -1: it has not come yet. An empty line without carriage
        returns ends the head too, since the parser refuses it."""
        start, self._searched = max(0, self._searched - 3), len(data)
        end = data.find(b"\r\n\r\n", start)
        if end >= 0:
            return end + 4
        end = data.find(b"\n\n", start)
        return end + 2 if end >= 0 else end

    def _read_head(self, head: bytes) -> None:
        self.body_at = self._next_chunk = self._end = len(head)
        if TRANSFER_ENCODING in head:
            self._end = None  # the parser refuses any coding but `chunked`
            self.is_chunked = True
        elif CONTENT_LENGTH in head:
            at = head.index(CONTENT_LENGTH) + len(CONTENT_LENGTH)
            length = LENGTH.match(head, at)
            self._end += int(length[1]) if length else 0
        self.awaits_continue = EXPECT in head
        if head.lstrip().startswith(WEBHOOK) and SIGNATURE in head:
            self._largest = LARGEST_WEBHOOK

    def _judge(self, size: int, body_at: int) -> Arrival:
        if self._end is None:
            is_large = size - body_at > self._largest
            return Arrival.CHUNKS_TOO_LARGE if is_large else Arrival.BODY
        if self._end - body_at > self._largest:
            return Arrival.BODY_TOO_LARGE
        return Arrival.WHOLE if size >= self._end else Arrival.BODY

    def _find_last_chunk(self, data: bytearray) -> int | None:
        """Return the end of a chunked body, or None while it has not come.

        Bytes that are no chunk end the body too: the parser refuses them.
        """
        while (line_end := data.find(b"\r\n", self._next_chunk)) >= 0:
            size = CHUNK_SIZE.fullmatch(data, self._next_chunk, line_end)
            if size is None:
                return line_end
            length = int(size[1], 16)
            if not length:
                # Behind the last chunk come lines of trailers, mostly none, and an empty line.
                end = data.find(b"\r\n\r\n", line_end)
                return end + 4 if end >= 0 else None
            self._next_chunk = line_end + 2 + length + 2
        is_line = len(data) - self._next_chunk > LONGEST_CHUNK_LINE
        return len(data) if is_line else None
