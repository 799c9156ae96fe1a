"""What an HTTP status, a redirect or an HTML page says before anyone looks at the content.

The same signs mean "log in" on the XML API and on the pages: 401 with an Apache page, 403, a
redirect to /login, a page titled Login or the words `Login expired` (device facts 5).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from transports.errors import Busy, CommandRejected, Garbled, NotSupported

_HEAD = 64 * 1024


def wants_login(status: int, location: str, body: bytes = b"") -> bool:
    """Whether the reply asks for a log-in instead of answering."""
    if status in (401, 403):
        return True
    if 300 <= status < 400:
        return _path(location).rstrip("/").endswith("/login")
    if not is_html(body):
        return False
    head = body[:_HEAD].lower()
    return any(
        words in head for words in (b"<title>login</title>", b"login expired", b"<title>401")
    )


def is_html(body: bytes) -> bool:
    """Whether the body is a web page, whatever its label says."""
    start = body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<html", b"<!doctype html"))


def check_status(status: int) -> None:
    """Raise for a status that is neither success nor redirect.

    503 and 429 ask to come back, 404, 405 and 501 say that this software has no such thing, other
    4xx decline the request, and other 5xx are no answer in this protocol.
    """
    if status in (429, 503):
        raise Busy(f"the appliance is busy (HTTP {status})")
    if status in (404, 405, 501):
        raise NotSupported(f"the appliance has nothing there (HTTP {status})")
    if 400 <= status < 500:
        raise CommandRejected(
            f"the appliance declined the request (HTTP {status})", cause=str(status)
        )
    if not 200 <= status < 400:
        raise Garbled(f"the appliance answered with HTTP {status}")


def _path(location: str) -> str:
    try:
        return urlsplit(location).path
    except ValueError:
        return ""
