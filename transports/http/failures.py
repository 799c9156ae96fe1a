"""What the HTTP library raises, in the words of `transports.errors`.

The question that decides is whether the request may have reached the appliance: before the
connection stands, it has not (`NotSent`); after that nobody knows (`OutcomeUnknown`). No exception
of the library, and none of its messages, leaves this package: a message may quote an address with
a query or a piece of a reply.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from transports.errors import (
    Busy,
    ConnectionLost,
    Garbled,
    InvalidRequest,
    ReplyTimeout,
    TransportError,
    Unreachable,
)

_CUT_SHORT = ("disconnected", "closed connection", "connection closed")
"""How the library words a connection that ended inside a reply, not a reply that is wrong."""


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Raise from our error tree whatever the library raises inside. `where` is `host:port`.

    A failed certificate check passes through as the library raised it: the caller has the
    fingerprints (`transports.http.tls.find_mismatch`).
    """
    try:
        yield
    except httpx.ConnectError:
        raise
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict) as error:
        raise translation(error, where) from None
    except ssl.SSLError:
        raise ConnectionLost(f"the TLS connection to {where} broke") from None


def translation(error: Exception, where: str) -> TransportError:
    """The error of our tree that says the same."""
    match error:
        case httpx.ConnectTimeout():
            return Unreachable(f"{where} did not accept a connection in time")
        case httpx.ConnectError() | httpx.ProxyError():
            return Unreachable(f"no connection to {where}")
        case httpx.PoolTimeout():
            return Busy(f"all our connections to {where} are in use")
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return ReplyTimeout(f"{where} did not answer in time")
        case httpx.RemoteProtocolError() if _was_cut_short(error):
            return ConnectionLost(f"{where} closed the connection before the answer was complete")
        case httpx.RemoteProtocolError() | httpx.DecodingError():
            return Garbled(f"{where} does not answer in HTTP")
        case httpx.NetworkError():
            return ConnectionLost(f"the connection to {where} broke")
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return InvalidRequest(f"the request to {where} cannot be written as HTTP")
        case httpx.CookieConflict() | httpx.TooManyRedirects():
            return Garbled(f"{where} contradicts itself")
        case _:
            return ConnectionLost(f"the exchange with {where} broke off")


def _was_cut_short(error: httpx.RemoteProtocolError) -> bool:
    text = str(error).casefold()
    return any(words in text for words in _CUT_SHORT)
