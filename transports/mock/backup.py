"""A system backup: a real tar.gz file with the configuration inside, so that a restore works.

It carries what the pages of Maintenance > Backup and restore say it carries, and no password: the
simulated appliance has no need to put secrets into a file that others store.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from transports.mock.configuration import DeviceRefusal

_MAX_BYTES = 64 * 1024 * 1024
_MAGIC = b"EXPWENC1"


@dataclass(frozen=True)
class BackupFile:
    """One backup as the web page hands it over."""

    file_name: str
    data: bytes
    taken_at: float


def pack(
    *,
    version: str,
    serial: str,
    at: datetime,
    device_time: float,
    values: dict[str, str],
    password: str,
) -> BackupFile:
    """Make the file; `.enc` and encrypted where a password is given."""
    body = json.dumps(
        {"version": version, "serial": serial, "configuration": values}, sort_keys=True
    ).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("backup/configuration.json")
        entry.size = len(body)
        entry.mtime = int(at.timestamp())
        archive.addfile(entry, io.BytesIO(body))
    data = buffer.getvalue()
    name = f"{version}_{serial}_{at:%Y_%m_%d}_{at:%H_%M_%S}_backup.tar.gz"
    if password:
        salt = hashlib.sha256(data).digest()[:12]
        data = _MAGIC + salt + AESGCM(_key(password, salt)).encrypt(salt, data, _MAGIC)
        name += ".enc"
    return BackupFile(name, data, device_time)


def unpack(data: bytes, *, version: str, password: str) -> dict[str, str]:
    """The configuration in a backup of the same version (facts 7). Raises DeviceRefusal."""
    if data.startswith(_MAGIC):
        salt = data[8:20]
        try:
            data = AESGCM(_key(password, salt)).decrypt(salt, data[20:], _MAGIC)
        except InvalidTag:
            raise DeviceRefusal("The backup password is not correct", cause=6) from None
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            entry = archive.getmember("backup/configuration.json")
            stream = archive.extractfile(entry)
            if stream is None or entry.size > _MAX_BYTES:
                raise DeviceRefusal("The file is not a valid system backup", cause=6)
            content = json.loads(stream.read(_MAX_BYTES))
        values = {str(path): str(value) for path, value in content["configuration"].items()}
        made_by = content["version"]
    except (tarfile.TarError, KeyError, ValueError, OSError, AttributeError, EOFError):
        raise DeviceRefusal("The file is not a valid system backup", cause=6) from None
    if made_by != version:
        raise DeviceRefusal(f"The backup was made by {made_by}, not by {version}", cause=6)
    return values


def _key(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1000)
