"""`factory-reset` and the purge of the cluster database in the root shell.

The seven questions of factory-reset are on record by their words only (guide p.20-21, answered
YES or NO); neither their punctuation nor a fixed order over versions is. So each is known
by its words. A question that is not on record ends the session unanswered: as long as the last one,
"Are you sure", has not been answered, nothing has been reset.
"""

from __future__ import annotations

import asyncio
import re

import asyncssh

from transports.base import FactoryReset
from transports.errors import (
    CommandRejected,
    ConnectionLost,
    Garbled,
    NotSupported,
    ReplyTimeout,
)
from transports.ssh.root_shell import OpenRootShell

RESET_COMMAND = "factory-reset"
PURGE_COMMAND = "clusterdb_destroy_and_purge_data.sh"
_PIECE = 4096
_MAX_TEXT = 64 * 1024
_SURE = re.compile(r"are you sure", re.IGNORECASE)


def _answers(wish: FactoryReset) -> dict[str, bool]:
    return {
        "option keys": wish.keep_option_keys,
        "ip configuration": wish.keep_ip_configuration,
        "ssh keys": wish.keep_ssh_keys,
        "root and admin passwords": wish.keep_passwords,
        "save log files": wish.save_log_files,
        "replace hard disk": wish.replace_hard_disk,
    }


async def reset(
    shell: OpenRootShell, wish: FactoryReset, quiet_time: float, seconds: float
) -> None:
    """Start a factory reset; returns when the appliance has let go of the session.

    Raises NotSupported on a question that is not on record, Garbled where the questions do not
    come as known, ReplyTimeout or ConnectionLost; after those, look before doing anything else.
    """
    process = await shell.connection.create_process(
        RESET_COMMAND, term_type="dumb", encoding=None, stderr=asyncssh.STDOUT
    )
    try:
        async with asyncio.timeout(seconds):
            await _answer_all(process, _answers(wish), quiet_time)
            process.stdin.write(b"YES\n")
            await _let_go(process)
    except TimeoutError:
        raise ReplyTimeout(f"factory-reset did not go on within {seconds:g} s") from None
    finally:
        process.close()


async def purge(shell: OpenRootShell, seconds: float) -> None:
    """Destroy the cluster database. Raises CommandRejected where the script fails."""
    done = await shell.run(PURGE_COMMAND, seconds=seconds)
    if done.status != 0:
        raise CommandRejected("the cluster database was not purged", cause=f"exit {done.status}")


async def _answer_all(
    process: asyncssh.SSHClientProcess[bytes], answers: dict[str, bool], quiet_time: float
) -> None:
    """Answer the six choices by their words, until the confirmation stands unanswered."""
    open_questions = dict(answers)
    while True:
        question = await _question(process, quiet_time)
        if _SURE.search(question):
            if open_questions:
                raise Garbled("factory-reset wants to start before it asked everything on record")
            return
        known = [words for words in answers if words in question]
        if len(known) != 1:
            raise NotSupported("factory-reset asks a question that is not on record")
        if open_questions.pop(known[0], None) is None:
            raise Garbled("factory-reset asks the same question twice")
        process.stdin.write(b"YES\n" if answers[known[0]] else b"NO\n")


async def _question(process: asyncssh.SSHClientProcess[bytes], quiet_time: float) -> str:
    """The last line that the other end wrote before it fell silent, in small letters."""
    text = ""
    while True:
        try:
            async with asyncio.timeout(quiet_time if _asks(text) else None):
                piece = await process.stdout.read(_PIECE)
        except TimeoutError:
            return _last_line(text)
        if not piece:
            raise ConnectionLost("factory-reset ended before its last question")
        text = (text + piece.decode(errors="replace"))[-_MAX_TEXT:]


def _asks(text: str) -> bool:
    """Whether there is text beyond the echo of our last answer."""
    return _last_line(text) not in {"", "yes", "no"}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].casefold() if lines else ""


async def _let_go(process: asyncssh.SSHClientProcess[bytes]) -> None:
    """Wait until the session ends; a lost connection is how a reset begins."""
    try:
        while await process.stdout.read(_PIECE):
            pass
        await process.wait_closed()
    except (OSError, asyncssh.Error):
        return
    if process.exit_status not in {None, 0}:
        raise CommandRejected("factory-reset was declined", cause=f"exit {process.exit_status}")
