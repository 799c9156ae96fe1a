"""Backup and software installation in the root shell.

Backup: `/sbin/backup.sh`, with a key on its input, is on record (device facts 7); what it prints is
not. It is read here as either the archive itself on standard output or the name of the file
it made; anything else is an error, never a made-up success.

Installation: the image is uploaded under another name, measured, and only then renamed to
`/tmp/tandberg-image.tar.gz`, because the appliance starts on that name at once. It is over when
`ls -l /tmp/install*` shows `install-ok`; the caller reboots (guide p.25-26).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable

import asyncssh

from transports.base import BackupReceipt, CreateBackup, InstallSoftware
from transports.errors import (
    CommandRejected,
    Garbled,
    InvalidRequest,
    ReplyTimeout,
    ReplyTooLarge,
)
from transports.ssh.root_shell import OpenRootShell, give_input, is_plain_path

BACKUP_COMMAND = "/sbin/backup.sh"
IMAGE = "/tmp/tandberg-image.tar.gz"  # noqa: S108  # the appliance's own name for it
RELEASE_KEY = "/tmp/release-key"  # noqa: S108  # likewise
LIST_INSTALLATION = "ls -l /tmp/install*"
MAX_BACKUP_BYTES = 8 * 1024**3
_PIECE = 64 * 1024
_BACKUP_FILE = re.compile(r"(/?[\w./-]*backup\.tar\.gz(?:\.enc)?)", re.ASCII)
_LONG_ENOUGH_TO_TELL = 16 * 1024
_LOOK_SECONDS = 30.0


async def back_up(shell: OpenRootShell, operation: CreateBackup, seconds: float) -> BackupReceipt:
    """Make a backup and pass it on piece by piece.

    Raises CommandRejected where the appliance fails, Garbled where no archive can be found.
    """
    if not operation.password.isprintable():
        raise InvalidRequest("a backup password may not contain control characters")
    try:
        async with asyncio.timeout(seconds):
            return await _back_up(shell, operation)
    except TimeoutError:
        raise ReplyTimeout(f"no backup within {seconds:g} s") from None


async def _back_up(shell: OpenRootShell, operation: CreateBackup) -> BackupReceipt:
    process = await shell.connection.create_process(BACKUP_COMMAND, encoding=None)
    archive = _Archive(operation.write)
    text = b""
    async with process:
        give_input(process, f"{operation.password}\n")
        while piece := await process.stdout.read(_PIECE):
            if archive.size or (not text and piece.startswith(b"\x1f\x8b")):
                await archive.take(piece)
            else:
                text = (text + piece)[-_LONG_ENOUGH_TO_TELL:]
        await process.wait_closed()
    if process.exit_status != 0:
        raise CommandRejected("the appliance could not make a backup", cause="backup.sh failed")
    if archive.size:
        return archive.receipt("backup.tar.gz")
    named = _BACKUP_FILE.findall(text.decode(errors="replace"))
    if not named or not is_plain_path(named[-1]):
        raise Garbled("backup.sh neither wrote an archive nor named the file that it made")
    async with (
        shell.connection.start_sftp_client() as files,
        files.open(named[-1], "rb", encoding=None) as source,
    ):
        while part := await source.read(_PIECE):
            await archive.take(bytes(part))  # type: ignore[arg-type]  # bytes, as encoding is None
    if not archive.size:
        raise Garbled("the backup file is empty")
    return archive.receipt(named[-1].rpartition("/")[2])


class _Archive:
    """Passes pieces on while measuring and hashing them."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._digest = hashlib.sha256()
        self.size = 0

    async def take(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > MAX_BACKUP_BYTES:
            raise ReplyTooLarge("the backup is larger than any appliance makes")
        self._digest.update(piece)
        await self._write(piece)

    def receipt(self, file_name: str) -> BackupReceipt:
        return BackupReceipt(file_name, self.size, self._digest.hexdigest())


async def install(
    shell: OpenRootShell, operation: InstallSoftware, seconds: float, poll_seconds: float
) -> None:
    """Upload the image, start the installation, and return when it is done.

    Raises CommandRejected where the appliance reports a failure, ReplyTimeout where it reports
    nothing in time.
    """
    try:
        async with asyncio.timeout(seconds):
            await _install(shell, operation, poll_seconds)
    except TimeoutError:
        raise ReplyTimeout(f"the installation did not finish within {seconds:g} s") from None


async def _install(shell: OpenRootShell, operation: InstallSoftware, poll_seconds: float) -> None:
    if operation.release_key and not operation.release_key.isalnum():
        raise InvalidRequest("a release key has letters and digits only")
    before = await _installation_lines(shell)
    waiting = f"/tmp/clusterway-{secrets.token_hex(8)}.part"  # noqa: S108  # on the appliance
    async with shell.connection.start_sftp_client() as files:
        try:
            await _upload(files, waiting, operation)
            if operation.release_key:
                async with files.open(RELEASE_KEY, "wb") as key:
                    await key.write(operation.release_key.encode() + b"\n")
        except asyncssh.SFTPError as error:
            await _remove(files, waiting)
            raise CommandRejected(
                "the appliance could not store the software image", cause=type(error).__name__
            ) from None
        except BaseException:
            await _remove(files, waiting)
            raise
    moved = await shell.run(f"mv {waiting} {IMAGE}", seconds=_LOOK_SECONDS)
    if moved.status != 0:
        raise CommandRejected("the appliance could not put the software image in place")
    while True:
        for line in await _installation_lines(shell) - before:
            if "install-ok" in line:
                return
            if "install-" in line and ("fail" in line or "error" in line):
                raise CommandRejected("the installation of the software image failed")
        await asyncio.sleep(poll_seconds)


async def _installation_lines(shell: OpenRootShell) -> set[str]:
    """The listing of the installer's marks; a mark of an earlier installation is thus known."""
    return set((await shell.run(LIST_INSTALLATION, seconds=_LOOK_SECONDS)).output.splitlines())


async def _upload(files: asyncssh.SFTPClient, path: str, operation: InstallSoftware) -> None:
    size = 0
    async with files.open(path, "wb") as target:
        async for piece in operation.read():
            await target.write(piece)
            size += len(piece)
    stored = (await files.stat(path)).size
    if size == 0 or stored != size:
        raise CommandRejected(f"{size} bytes of the image were sent, {stored} arrived")


async def _remove(files: asyncssh.SFTPClient, path: str) -> None:
    # It lies in /tmp and goes at the next restart; the error before this one is what counts.
    with contextlib.suppress(OSError, asyncssh.Error):
        await files.remove(path)
