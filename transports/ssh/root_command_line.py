"""The admin command line reached through the root shell.

For an appliance where root may log in by SSH and `admin` may not: the command line is a program,
`tsh` (`tshell` in an older script), that takes lines on its input (device facts 0.4, 1.1). One
program is run for each line, so the end of its output is the end of the reply. The line goes
in by standard input and not as an argument, where any process could read it.
"""

from __future__ import annotations

from transports.base import Limits
from transports.errors import Garbled
from transports.ssh.framing import Framer, Progress, Reply
from transports.ssh.root_shell import RootShell


class RootCommandLine:
    """Exchanges lines like `transports.ssh.session.Session`, without keeping anything open."""

    def __init__(self, root: RootShell, program: str, limits: Limits) -> None:
        self._root = root
        self._program = program
        self._limits = limits

    async def exchange(self, line: str) -> Reply:
        """Send one line and return its reply. Errors as those of a session."""
        framer = Framer(line, max_bytes=self._limits.max_reply_bytes)
        async with self._root.opened() as shell:
            done = await shell.run(
                self._program,
                seconds=self._limits.reply,
                typed=f"{line}\n",
                max_bytes=self._limits.max_reply_bytes,
            )
        framer.feed(done.output.encode())
        if framer.progress is Progress.WAITING:
            raise Garbled(f"{self._program} ended without an answer (exit {done.status})")
        return framer.reply()

    async def close(self) -> None:
        """Nothing is open between two exchanges."""

    def abandon(self) -> None:
        """Nothing is open between two exchanges."""
