"""What can go wrong between us and an appliance, split by what the caller may do next.

    TransportError
    |-- NotSent                 nothing reached the appliance: the same call may be made again later
    |   |-- Unreachable           no connection: refused, no route, timed out
    |   `-- Busy                  the appliance asks to come back later (503, session limit)
    |-- OutcomeUnknown          bytes were sent and no full answer came: look before you act again
    |   |-- ReplyTimeout          the answer did not come in time
    |   `-- ConnectionLost        the link died under way (a restart does this)
    |-- Refused                 understood and declined: the same call gets the same answer
    |   |-- CommandRejected       status=Error, "Command not recognized", a value out of range
    |   `-- NotSupported          this transport or this software version cannot do it
    |-- NotTrusted              stop, and ask a person; trying again makes it worse
    |   |-- AuthenticationFailed  user name or password declined (the appliance bans after a few)
    |   |-- IdentityChanged       host key or certificate is not the pinned one; nothing was sent
    |   `-- Banned                the appliance has blocked our address for a while
    |-- Garbled                 the reply does not follow the protocol
    |   `-- ReplyTooLarge         size or depth beyond the agreed limit
    `-- InvalidRequest          the caller's own mistake: nothing was sent

`sent` answers the question every caller has after a failure: did it reach the appliance?
No message carries a password, a pre-shared key or a raw reply.
"""

from __future__ import annotations

from typing import ClassVar


class TransportError(Exception):
    """Something went wrong between us and the appliance."""

    sent: ClassVar[bool | None] = None
    """True: the request reached the appliance. False: it did not. None: it may have."""


class NotSent(TransportError):
    """Nothing reached the appliance."""

    sent = False


class Unreachable(NotSent):
    """No connection to the appliance could be made."""


class Busy(NotSent):
    """The appliance asked to come back later."""


class OutcomeUnknown(TransportError):
    """The request was sent and no full answer came."""

    sent = None


class ReplyTimeout(OutcomeUnknown):
    """The answer did not come in time."""


class ConnectionLost(OutcomeUnknown):
    """The connection died while the request was under way."""


class Refused(TransportError):
    """The appliance understood the request and declined it."""

    sent = True


class CommandRejected(Refused):
    """The appliance answered with an error.

    `cause` and `description` are the appliance's own words, where it gave any.
    """

    def __init__(self, message: str, *, cause: str = "", description: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.description = description


class NotSupported(Refused):
    """The transport, or the software version, cannot do what was asked."""


class NotTrusted(TransportError):
    """We do not trust the appliance, or it does not trust us. Never retried by a program."""

    sent = False


class AuthenticationFailed(NotTrusted):
    """The appliance declined the user name or password.

    `account` is `root` where it was the root shell's log-in, empty for the endpoint's own account:
    a caller who remembers wrong passwords must not blame the one for the other.
    """

    def __init__(self, message: str, *, account: str = "") -> None:
        super().__init__(message)
        self.account = account


class IdentityChanged(NotTrusted):
    """The appliance presented another host key or certificate than the pinned one.

    Both fingerprints are `SHA256:...`; `presented` is empty where the peer showed none.
    """

    def __init__(self, message: str, *, pinned: str, presented: str) -> None:
        super().__init__(message)
        self.pinned = pinned
        self.presented = presented


class Banned(NotTrusted):
    """The appliance has blocked our address after failed log-ins."""


class Garbled(TransportError):
    """The reply does not follow the protocol."""

    sent = True


class ReplyTooLarge(Garbled):
    """The reply is larger or deeper than the agreed limit."""


class InvalidRequest(TransportError, ValueError):
    """The request cannot be expressed on this transport; nothing was sent."""

    sent = False
