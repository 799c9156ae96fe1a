"""What an exchange is called, for a transcript: the transport's own words, and never a secret.

A transport's CLI line, putxml document or getxml location, a web form's page. These are the words
of the request that was made, not the bytes on the wire: log-in, line ends and tokens of forms are
the transport's own. A value is left out where its name says that it is a secret.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from transports.base import (
    AnyOperation,
    Capability,
    CheckWebLogin,
    PingFromPeer,
    ReadAdminAccounts,
    ReadClusteringPage,
    ReadLyncB2bua,
    ReadTimeState,
)
from transports.command import (
    Command,
    Setting,
    command_document,
    command_line,
    setting_document,
    setting_line,
)
from transports.document import Node, Path
from transports.errors import InvalidRequest

HIDDEN = "[redacted]"
_XML = "http"
_SECRET = re.compile(
    r"(?i)passw|passphrase|secret|community|credential|private_?key|shared_?key|token|release_?key"
)
_LOOKS = (
    CheckWebLogin,
    PingFromPeer,
    ReadAdminAccounts,
    ReadClusteringPage,
    ReadLyncB2bua,
    ReadTimeState,
)
_PAGES = {
    Capability.BACKUP: "Maintenance > Backup and restore",
    Capability.RESTORE: "Maintenance > Backup and restore",
    Capability.PRE_SHARED_KEY: "System > Clustering",
    Capability.CLUSTER_STATUS: "System > Clustering",
    Capability.TIME_STATUS: "System > Time",
    Capability.RESTART: "Maintenance > Restart options",
    Capability.WEB_LOGIN: "Login",
    Capability.INSTALL_SOFTWARE: "Maintenance > Upgrade",
    Capability.ADMIN_ACCOUNTS: "Users > Administrator accounts",
    Capability.LYNC_B2BUA: "Applications > B2BUA > Microsoft Lync > Configuration",
    Capability.FACTORY_RESET: "root shell",
    Capability.PURGE_CLUSTER_DATABASE: "root shell",
}
"""Where a person would do the same."""


def read_words(transport: str, root: str, path: Path) -> str:
    """A read of `Status` or `Configuration`: `xStatus Alternates` or a getxml location."""
    if transport == _XML:
        place = path.xpath()
        return f"getxml /{root}/{place}" if place else f"GET /{root.casefold()}.xml"
    return f"x{root} {path}".rstrip()


def write_words(transport: str, settings: Sequence[Setting]) -> str:
    """The settings, one a line."""
    shown = [
        Setting(s.path, HIDDEN) if s.value and _is_secret(s.path.segments[-1].name) else s
        for s in settings
        if s.path.segments
    ]
    if transport == _XML:
        return "\n".join(f"putxml {_told(setting_document, (s,))}" for s in shown)
    return "\n".join(_told(setting_line, s) for s in shown)


def command_words(transport: str, command: Command) -> str:
    """The command with its parameters."""
    shown = Command(
        command.name,
        {k: HIDDEN if v and _is_secret(k) else v for k, v in command.parameters.items()},
    )
    if transport == _XML:
        return f"putxml {_told(command_document, shown)}"
    return _told(command_line, shown)


def operation_words(operation: AnyOperation) -> str:
    """The page or shell, and the operation with its fields; secret ones are left out."""
    place = _PAGES.get(operation.capability, "")
    words = type(operation).__name__
    if dataclasses.is_dataclass(operation):
        values = ", ".join(
            f"{f.name}={getattr(operation, f.name)!r}"
            for f in dataclasses.fields(operation)
            if f.repr and not _is_secret(f.name)
        )
        words = f"{words}({values})"
    return f"{place}: {words}" if place else words


def secrets_of(operation: AnyOperation) -> Iterator[str]:
    """The secret texts that an operation carries, so that a redactor knows them."""
    if dataclasses.is_dataclass(operation):
        for given in dataclasses.fields(operation):
            value: Any = getattr(operation, given.name)
            if isinstance(value, str) and value and not given.repr:
                yield value


def is_look(operation: AnyOperation) -> bool:
    """Whether the operation only reads."""
    return isinstance(operation, _LOOKS)


def reply_words(node: Node) -> str:
    """A tree as the CLI shows it: one `Alternates Peer 1 Address: 192.0.2.11` a line."""
    lines: list[str] = []
    _lines(node, "", lines)
    return "\n".join(lines)


def _lines(node: Node, prefix: str, into: list[str]) -> None:
    counts: dict[str, int] = {}
    for child in node.children:
        counts[child.name] = counts.get(child.name, 0) + 1
    for child in node.children:
        repeated = child.index != 1 or counts[child.name] > 1
        here = f"{prefix}{child.name} {child.index}" if repeated else f"{prefix}{child.name}"
        if child.children:
            _lines(child, f"{here} ", into)
        else:
            value = child.value or ""
            into.append(f"{here}: {HIDDEN if value and _is_secret(child.name) else value}")


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def _told(render: Any, what: Any) -> str:
    try:
        words: str = render(what)
    except InvalidRequest as error:
        return f"(cannot be said on this transport: {error})"
    return words
