"""The switches of an endpoint that this transport understands.

    root               "true": the endpoint grants a root shell; needs `root_password`
    legacy_algorithms  "true": also offer SHA-1 key exchange and host keys, and CBC ciphers
    tsh                the name of the command line's program (`tsh`, `tshell`): run the admin
                       commands as root instead of logging in as `admin`; needs root=true
    quiet_time         seconds of silence after which an unframed `OK` counts as the end
                       (default 0.3, from 0.01 to 10; device facts 1.3)
    poll_time          seconds between two looks at a running installation (default 5)

All are off or at their default when left out; any other name is refused, because a misspelt
switch that is silently ignored would be found out in the middle of a change.
"""

from __future__ import annotations

from dataclasses import dataclass

from transports.base import Endpoint
from transports.errors import InvalidRequest

_KNOWN = frozenset({"root", "legacy_algorithms", "tsh", "quiet_time", "poll_time"})
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class Options:
    """The validated options of one endpoint."""

    root: bool = False
    legacy_algorithms: bool = False
    quiet_time: float = 0.3
    poll_time: float = 5.0
    tsh: str = ""


def read_options(endpoint: Endpoint) -> Options:
    """The endpoint's options. Raises InvalidRequest on an unknown name or an impossible value."""
    given = endpoint.options
    unknown = sorted(set(given) - _KNOWN)
    if unknown:
        known = ", ".join(sorted(_KNOWN))
        raise InvalidRequest(f"unknown option {unknown[0]!r} (the ssh transport knows: {known})")
    root = _switch(endpoint, "root")
    if root and not endpoint.root_password:
        raise InvalidRequest("option root=true needs the endpoint's root password")
    tsh = given.get("tsh", "")
    if tsh not in {"", "tsh", "tshell"}:
        raise InvalidRequest("option tsh must be tsh or tshell")
    if tsh and not root:
        raise InvalidRequest("option tsh needs root=true")
    return Options(
        tsh=tsh,
        root=root,
        legacy_algorithms=_switch(endpoint, "legacy_algorithms"),
        quiet_time=_seconds(endpoint, "quiet_time", Options.quiet_time),
        poll_time=_seconds(endpoint, "poll_time", Options.poll_time),
    )


def _switch(endpoint: Endpoint, name: str) -> bool:
    word = endpoint.options.get(name, "false")
    if word not in _WORDS:
        raise InvalidRequest(f"option {name} must be true or false")
    return _WORDS[word]


def _seconds(endpoint: Endpoint, name: str, default: float) -> float:
    text = endpoint.options.get(name)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.01 <= seconds <= 10:  # also false for NaN
        raise InvalidRequest(f"option {name} must be a number of seconds from 0.01 to 10")
    return seconds
