"""One line of the command line and its answer, with the faults that strike in between.

Both shells of a simulated appliance, that of `admin` and that of `root`, answer through this.
"""

from __future__ import annotations

from dataclasses import dataclass

from transports.mock.cli import CommandLine
from transports.mock.expressway import Expressway
from transports.mock.faults import NOISE, FaultKind


@dataclass(frozen=True, slots=True)
class Answer:
    """What is written, and what happens then."""

    text: str = ""
    leave: bool = False
    """The line ended the session."""
    dies: bool = False
    """The connection dies after the text."""


async def answer(device: Expressway, command_line: CommandLine, line: str, end: str) -> Answer:
    """Carry a line out and answer it, lines ended by `end`, as far as the faults let it."""
    if not line.strip():
        reply = command_line.execute(line)
        return Answer("".join(part + end for part in reply.lines), leave=reply.leave)
    strike = device.fleet.faults.strike
    if strike(FaultKind.DROP_BEFORE, device.name, line):
        return Answer(dies=True)
    if fault := strike(FaultKind.DELAY, device.name, line):
        await device.clock.sleep(fault.value)
    await device.clock.sleep(device.profile.reply)
    if strike(FaultKind.WRONG_ANSWER, device.name, line):
        return Answer(device.profile.unknown_command + end)
    reply = command_line.execute(line)
    if reply.leave:
        return Answer(leave=True)
    text = "".join(part + end for part in reply.lines)
    if strike(FaultKind.DROP_AFTER, device.name, line):
        return Answer(dies=True)
    if cut := strike(FaultKind.DROP_AT_BYTE, device.name, line):
        return Answer(text[: int(cut.value)], dies=True)
    if strike(FaultKind.GARBAGE, device.name, line):
        return Answer(f"{NOISE}{end}OK{end}")
    return Answer(text)
