"""The root shell, where an appliance grants it: just the commands that the facts and guide name.

It is no Unix shell. It knows pipes into `tsh`, the backup script, `factory-reset` with its seven
questions, and enough of `ls`, `mv` and `rm` below /tmp for the upgrade by file copy (facts 7).
"""

from __future__ import annotations

import asyncio
import fnmatch
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from transports.mock.cli import CommandLine
from transports.mock.configuration import DeviceRefusal
from transports.mock.exchange import answer
from transports.mock.expressway import Expressway
from transports.mock.web import WebInterface

IMAGE = "/tmp/tandberg-image.tar.gz"  # noqa: S108 - a name on the simulated appliance
QUESTIONS = (
    ("option-keys", "Keep option keys"),
    ("ip", "Keep IP configuration"),
    ("ssh-keys", "Keep SSH keys"),
    ("passwords", "Keep root and admin passwords"),
    ("logs", "Save log files"),
    ("disk", "Replace hard disk"),
    ("sure", "Are you sure you want to continue"),
)
_PIPE = re.compile(r"echo\s+(?:'([^']*)'|\"([^\"]*)\"|(.*?))\s*\|\s*(\S+)\s*")
_MAX_IMAGE = 64 * 1024 * 1024

Ask = Callable[[str], Awaitable[str | None]]
Say = Callable[[bytes], None]


class RootShell:
    """Runs one command after the other. `ask` shows a text and gives the next line of input."""

    def __init__(self, device: Expressway, disk: Path, ask: Ask, say: Say) -> None:
        self._device = device
        self._disk = disk
        self._ask = ask
        self._say = say

    async def run(self, command: str) -> int:
        """Carry out a command line; its exit status."""
        words = command.split()
        if not words:
            return 0
        if (match := _PIPE.fullmatch(command.strip())) is not None:
            text = match.group(1) or match.group(2) or match.group(3) or ""
            return await self._piped(text, match.group(4))
        acts: dict[str, Callable[[list[str]], Awaitable[int]]] = {
            "tsh": self._tsh,
            "tshell": self._tsh,
            "factory-reset": self._factory_reset,
            "clusterdb_destroy_and_purge_data.sh": self._purge,
            "rootaccess": self._root_access,
            "ls": self._ls,
            "mv": self._mv,
            "rm": self._rm,
        }
        if words[0] in {"/sbin/backup.sh", "backup.sh"}:
            return await self._backup(await self._ask("") or "")
        act = acts.get(words[0])
        if act is None:
            self._line(f"-sh: {words[0]}: not found")
            return 127
        return await act(words[1:])

    async def _piped(self, text: str, program: str) -> int:
        if program in {"tsh", "tshell"}:
            await self._execute(text)
            return 0
        if program in {"/sbin/backup.sh", "backup.sh"}:
            return await self._backup(text)
        self._line(f"-sh: {program}: not found")
        return 127

    async def _execute(self, line: str) -> bool:
        """False where the line ended the program. Raises ConnectionResetError for a planned end."""
        given = await answer(self._device, CommandLine(self._device), line, "\n")
        self._say(self._device.sent(given.text).encode())
        if given.dies:
            await asyncio.sleep(0.01)  # what was written must leave before the connection dies
            raise ConnectionResetError
        return not given.leave

    async def _tsh(self, _: list[str]) -> int:
        while (line := await self._ask("")) is not None:
            if not await self._execute(line):
                break
        return 0

    async def _backup(self, key: str) -> int:
        try:
            made = await WebInterface(self._device).create_backup(key.strip())
        except DeviceRefusal as refusal:
            self._line(refusal.description)
            return 1
        if self._device.profile.root_backup_prints_archive:
            self._say(made.data)
        else:
            self._place(f"/tmp/{made.file_name}").write_bytes(made.data)  # noqa: S108 - its /tmp
            self._line(f"/tmp/{made.file_name}")  # noqa: S108 - a name on the simulated appliance
        return 0

    async def _factory_reset(self, _: list[str]) -> int:
        answers: dict[str, bool] = {}
        for key, question in QUESTIONS:
            answer = await self._ask(self._device.sent(f"{question} [YES/NO]? "))
            if answer is None or answer.strip().upper() not in {"YES", "NO"}:
                self._line("Please answer YES or NO. Factory reset cancelled.")
                return 1
            answers[key] = answer.strip().upper() == "YES"
        if not answers["sure"]:
            self._line("Factory reset cancelled.")
            return 1
        self._line("Factory reset started")
        keep = frozenset(key for key in ("option-keys", "ip", "passwords") if answers[key])
        self._device.clock.call_later(
            self._device.profile.shutdown_delay, lambda: self._device.factory_reset(keep=keep)
        )
        return 0

    async def _purge(self, _: list[str]) -> int:
        self._device.purge_cluster_database()
        return 0

    async def _root_access(self, words: list[str]) -> int:
        if words not in (["--ssh", "on"], ["--ssh", "off"]):
            self._line("usage: rootaccess --ssh on|off")
            return 2
        self._device.accounts.root_ssh = words[1] == "on"
        return 0

    async def _ls(self, words: list[str]) -> int:
        names = [word for word in words if not word.startswith("-")]
        status = 0
        for pattern in names or ["/tmp/*"]:  # noqa: S108 - a name on the simulated appliance
            parent, _, last = pattern.rpartition("/")
            folder = self._place(parent or "/")
            found = sorted(folder.iterdir()) if folder.is_dir() else []
            shown = [entry for entry in found if fnmatch.fnmatch(entry.name, last or "*")]
            for entry in shown:
                name = f"{parent}/{entry.name}"
                size = entry.stat().st_size
                self._line(f"-rw-r--r-- 1 root root {size} {name}" if "-l" in words else name)
            if not shown:
                self._line(f"ls: {pattern}: No such file or directory")
                status = 1
        return status

    async def _mv(self, words: list[str]) -> int:
        if len(words) != 2 or not self._place(words[0]).is_file():
            self._line("mv: cannot move: No such file or directory")
            return 1
        target = self._place(words[1])
        self._place(words[0]).replace(target)
        if words[1] == IMAGE:
            self._device.start_installing(self._image(target), self._mark)
        return 0

    async def _rm(self, words: list[str]) -> int:
        names = [word for word in words if not word.startswith("-")]
        for name in names:
            self._place(name).unlink(missing_ok=True)
        return 0

    def _image(self, path: Path) -> bytes:
        with path.open("rb") as image:
            return image.read(_MAX_IMAGE)

    def _mark(self, word: str) -> None:
        if self._disk.is_dir():
            self._place(f"/tmp/install-{word}").write_text("", encoding="utf-8")  # noqa: S108

    def _place(self, path: str) -> Path:
        """Where a path of the appliance lies on this machine: never outside its folder."""
        parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
        return self._disk.joinpath(*parts)

    def _line(self, text: str) -> None:
        self._say((self._device.sent(text) + "\n").encode())
