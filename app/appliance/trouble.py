"""What a failed exchange with a peer means: a stable code, and what a person can do.

Transports' messages carry no secrets (transports.errors), so callers may show them beside these.
"""

from __future__ import annotations

from dataclasses import dataclass

from transports.errors import (
    AuthenticationFailed,
    Banned,
    Busy,
    Garbled,
    IdentityChanged,
    InvalidRequest,
    NotSent,
    NotSupported,
    NotTrusted,
    OutcomeUnknown,
    Refused,
    TransportError,
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A code such as `peer-unreachable`, and the remedy as one or two sentences."""

    code: str
    remedy: str


_RULES: tuple[tuple[type[TransportError], Trouble], ...] = (
    (
        AuthenticationFailed,
        Trouble(
            "authentication-failed",
            "Correct the peer's credential, then try again. The password is not tried twice: the"
            " peer bans addresses that fail to log in.",
        ),
    ),
    (
        IdentityChanged,
        Trouble(
            "identity-changed",
            "Find out why the peer shows another key or certificate than the pinned one. Pin the"
            " new one only when the change is known to be right, then try again.",
        ),
    ),
    (
        Banned,
        Trouble(
            "peer-banned-us",
            "Wait until the peer lifts its block of this service's address, or lift it there, then"
            " try again.",
        ),
    ),
    (
        NotTrusted,
        Trouble("not-trusted", "Correct the peer's credential or trust, then try again."),
    ),
    (
        Busy,
        Trouble(
            "peer-busy", "The peer asked to come back later. Free sessions on it, then try again."
        ),
    ),
    (
        NotSent,
        Trouble(
            "peer-unreachable",
            "Check that the peer is up and that its address can be reached from here, then try"
            " again.",
        ),
    ),
    (
        OutcomeUnknown,
        Trouble(
            "peer-not-answering",
            "Check the peer's state and the network to it, then try again.",
        ),
    ),
    (
        NotSupported,
        Trouble(
            "not-supported",
            "Give the peer an endpoint that can do this, or take the step by hand, then try again.",
        ),
    ),
    (
        Refused,
        Trouble("peer-refused", "Read the peer's own words, mend the cause, then try again."),
    ),
    (
        Garbled,
        Trouble(
            "reply-not-understood",
            "Look at the peer; its answer did not follow its protocol. Try again when it is well.",
        ),
    ),
    (
        InvalidRequest,
        Trouble(
            "invalid-request",
            "A value cannot be written on this transport; change it and make a new plan.",
        ),
    ),
)
_OTHER = Trouble("transport-error", "Look at the peer, then try again.")


def trouble_with(error: TransportError) -> Trouble:
    """The most specific rule for the error."""
    return next((trouble for kind, trouble in _RULES if isinstance(error, kind)), _OTHER)
