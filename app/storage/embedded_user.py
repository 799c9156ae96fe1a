"""As whom the private PostgreSQL runs, and what it says when it cannot.

PostgreSQL refuses to run as root, rightly. Where the service runs as root, the server runs as an
unprivileged user; nothing that exists gets wider permissions for that.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

_CANDIDATES = ("clusterway", "postgres", "nobody")


class EmbeddedPostgresError(Exception):
    """The private PostgreSQL cannot be used; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}. {remedy}")
        self.remedy = remedy


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user of the server; `drop` says that we are root and it is another."""

    uid: int
    gid: int
    drop: bool

    def as_arguments(self) -> _Identity:
        """What starts a subprocess as this user."""
        if not self.drop:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Whether the user can reach a folder (enter it and every one above)."""
        if not self.drop:
            return True
        return all(self._may(place, 0o1) for place in (folder, *folder.parents))

    def can_read(self, file: Path) -> bool:
        """Whether the user can read and run a file."""
        return self.can_enter(file.parent) and (not self.drop or self._may(file, 0o5))

    def _may(self, place: Path, bits: int) -> bool:
        try:
            status = place.stat()
        except OSError:
            return False
        if status.st_uid == self.uid:
            shift = 6
        elif status.st_gid == self.gid:
            shift = 3
        else:
            shift = 0
        return stat.S_IMODE(status.st_mode) >> shift & bits == bits


def choose_user(data: Path, name: str | None = None) -> ServerUser:
    """The owner of existing data, else ourselves, else (as root) an unprivileged user.

    Raises EmbeddedPostgresError where the data belongs to somebody we cannot act as.
    """
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner != os.geteuid():
            raise EmbeddedPostgresError(
                f"{data} belongs to the user {_name(owner)}, and the service runs as "
                f"{_name(os.geteuid())}",
                f"Run the service as {_name(owner)}, or give the folder to {_name(os.geteuid())}.",
            )
        return ServerUser(os.geteuid(), os.getegid(), drop=False)
    if owner == 0:
        raise EmbeddedPostgresError(
            f"{data} belongs to root, and PostgreSQL refuses to run as root",
            "Give the folder to an unprivileged user, such as postgres or nobody.",
        )
    if owner is not None:
        return _user(owner)
    for candidate in (name,) if name else _CANDIDATES:
        try:
            found = pwd.getpwnam(candidate)
        except KeyError:
            continue
        if found.pw_uid != 0:
            return ServerUser(found.pw_uid, found.pw_gid, drop=True)
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root, and there is no unprivileged user for it",
        "Make one (useradd --system clusterway), or set CLUSTERWAY_DATABASE_URL.",
    )


def _user(uid: int) -> ServerUser:
    try:
        return ServerUser(uid, pwd.getpwuid(uid).pw_gid, drop=True)
    except KeyError:
        raise EmbeddedPostgresError(
            f"the data folder belongs to user number {uid}, which this machine does not know",
            "Give the folder to a user of this machine, such as postgres or nobody.",
        ) from None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
