"""The file of key-encryption keys, which every process of the service reads.

One `id:base64` a line, in the order the keys were made: the last one seals, all of them open. The
line `fingerprint:base64` is no such key: it is what digests hang on once the first key is retired.
Every change writes a whole new file aside and moves it into place, so nobody ever reads half of
one, and processes that are running see that it is another file.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY_BYTES = 32
FINGERPRINT = "fingerprint"
_ABOUT = "# Key-encryption keys of Clusterway. Without them no secret opens."


class VaultError(Exception):
    """A sealed value or a key file cannot be used. The message holds no secret."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """The file at `path`."""

    path: Path

    def make(self) -> None:
        """Make the file with one key, readable by its owner only, unless there is one."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.path.exists():
            return
        aside = self._aside([_ABOUT, _line("k1", secrets.token_bytes(KEY_BYTES))])
        try:
            # Linked and not moved: of two processes at first start the second uses the first's.
            os.link(aside, self.path)
        except FileExistsError:
            return
        finally:
            aside.unlink()

    def read(self) -> dict[str, bytes]:
        """The keys by id, in order. Raises VaultError: others may read it, or a line is no key."""
        found: dict[str, bytes] = {}
        for number, line in enumerate(self._lines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            key_id, _, text = line.strip().partition(":")
            try:
                key = base64.b64decode(text, validate=True)
            except binascii.Error:
                raise VaultError(f"{self.path}, line {number}: not `id:base64`") from None
            if key_id in found:
                raise VaultError(
                    f"{self.path}, line {number}: key id {key_id!r} stands there twice"
                )
            found[key_id] = key
        return found

    def state(self) -> tuple[int, ...]:
        """Differs once the file is another one; empty where it cannot be seen."""
        try:
            seen = self.path.stat()
        except OSError:
            return ()
        return (seen.st_ino, seen.st_size, seen.st_mtime_ns)

    def add(self) -> str:
        """Append a new key, which seals from now on; returns its id. Raises VaultError."""
        key_id = f"k{secrets.token_hex(4)}"
        with self._alone():
            self._write([*self._lines(), _line(key_id, secrets.token_bytes(KEY_BYTES))])
        return key_id

    def retire(self, key_id: str) -> None:
        """Take a key out for good; nothing may be sealed by it any more. Raises VaultError.

        Digests hang on the first key: where that one goes, what they hang on stays, and it gives
        the key away to nobody.
        """
        with self._alone():
            self._retire(key_id)

    def _retire(self, key_id: str) -> None:
        keys = self.read()
        sealing = [name for name in keys if name != FINGERPRINT]
        if key_id not in sealing:
            raise VaultError(f"there is no key {key_id!r} in {self.path}")
        if key_id == sealing[-1]:
            raise VaultError(f"key {key_id} is the newest, which seals: add a new one first")
        lines = [line for line in self._lines() if line.partition(":")[0].strip() != key_id]
        if FINGERPRINT not in keys and key_id == sealing[0]:
            lines.insert(0, _line(FINGERPRINT, fingerprint_key(keys)))
        self._write(lines)

    def _lines(self) -> list[str]:
        mode = self.path.stat().st_mode & 0o777
        if mode & 0o077:
            raise VaultError(
                f"{self.path} may be read by others (mode {mode:04o}); run: chmod 600 {self.path}"
            )
        return self.path.read_text(encoding="ascii").splitlines()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Of two who change the file at once one waits: else a key would be lost that seals."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, lines: Sequence[str]) -> None:
        try:
            self._aside(lines).replace(self.path)
        except OSError as error:
            raise VaultError(f"{self.path} cannot be written: {error.strerror}") from None

    def _aside(self, lines: Sequence[str]) -> Path:
        aside = self.path.with_name(f".{self.path.name}.{secrets.token_hex(6)}")
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        return aside


def fingerprint_key(keys: dict[str, bytes]) -> bytes:
    """What digests hang on, so that they stay the same when keys come and go."""
    kept = keys.get(FINGERPRINT)
    first = next(key for key_id, key in keys.items() if key_id != FINGERPRINT)
    return kept or hashlib.sha256(FINGERPRINT.encode() + first).digest()


def _line(key_id: str, key: bytes) -> str:
    return f"{key_id}:{base64.b64encode(key).decode()}"
