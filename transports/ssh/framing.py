"""Where the reply to one line ends.

The appliance closes a status with `*s/end`, a command's result with `*r/end`, and everything with a
line `OK` (device facts 1.3). A value may well read `OK`, and a write is answered by nothing but
`OK`, so there are two kinds of end: a framed block followed by `OK` is over at once; an `OK` or an
error text without a frame is over when nothing more comes for a quiet time. What the end looks like
never depends on a prompt, because none is on record (device facts, section 12).

The terminal may echo our line, after a prompt, and may print alarms or a banner before it. Once a
session is known to echo, everything before the echo of the present line is noise and is dropped;
so a late remainder of an earlier reply can never be taken for the answer to a later line.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field

from transports.errors import ReplyTooLarge
from transports.ssh.lines import LineSplitter

ERROR_LINE = re.compile(
    r"\s*(?:\*r\s+Result\s*\(status=Error\)|error\b|command not recogni[sz]ed|unknown command"
    r"|invalid)",
    re.IGNORECASE,
)
"""How a refusal starts. The wording of this product is not on record (device facts 1.4)."""

OPEN_VALUE = re.compile(r'[^"]*?:\s*"(.*)\Z', re.DOTALL)
"""A line whose value starts with a quote; group 1 is what follows it."""


class Progress(enum.Enum):
    """How far a reply has come."""

    WAITING = "waiting"
    SETTLING = "settling"
    """Over unless more comes within the quiet time."""
    DONE = "done"


class Block(enum.Enum):
    """What the present line is inside of."""

    NONE = ""
    STATUS = "*s/end"
    RESULT = "*r/end"


@dataclass(frozen=True)
class Reply:
    """One reply, freed of echo, prompt and blank lines between its blocks.

    `lines` are the lines of its `*s`, `*c` and `*r` blocks, without the `/end` lines. `refusal` is
    the appliance's error text where it declined without a block. `other` counts lines that belong
    to no block and are no error. A quoted value that goes on over several lines is one entry.
    """

    lines: tuple[str, ...]
    refusal: str = ""
    other: int = 0


@dataclass
class Framer:
    """Takes bytes, says when the reply to `sent` is complete.

    `echoes` is what earlier exchanges taught about the terminal; None before the first.
    `only_status` ignores everything but a status block: used to find the first reply after log-in.
    """

    sent: str
    echoes: bool | None = None
    prompt: str = ""
    max_bytes: int = 16 * 1024 * 1024
    only_status: bool = False
    progress: Progress = Progress.WAITING
    echo_seen: bool = False
    left_over: bool = False
    """Text came after the end: this terminal is not in step with us."""
    _splitter: LineSplitter = field(default_factory=LineSplitter)
    _lines: list[str] = field(default_factory=list)
    _block: Block = Block.NONE
    _header: str = ""
    _value: list[str] = field(default_factory=list)
    _framed: bool = False
    _refusal: str = ""
    _other: int = 0
    _bytes: int = 0

    def feed(self, chunk: bytes) -> None:
        """Take what arrived. Raises ReplyTooLarge beyond `max_bytes`."""
        self._bytes += len(chunk)
        if self._bytes > self.max_bytes:
            raise ReplyTooLarge(f"the reply is longer than {self.max_bytes} bytes")
        for line in self._splitter.feed(chunk):
            self._take(line)
        if (len(self._lines) + len(self._value)) * 8 > max(self.max_bytes, 8192):
            raise ReplyTooLarge("the reply has more lines than any known reply of its length")

    @property
    def tail(self) -> str:
        """What stands after the last line end: the prompt, where there is one."""
        return self._splitter.tail

    def reply(self) -> Reply:
        """The reply, once `progress` is not WAITING."""
        return Reply(tuple(self._lines), self._refusal, self._other)

    def _take(self, line: str) -> None:
        if self.progress is Progress.DONE:
            self.left_over = self.left_over or bool(self._without_prompt(line).strip())
        elif self._value:
            self._go_on_with_value(line)
        elif self._block is not Block.NONE:
            self._take_inside(line)
        else:
            self._take_outside(self._without_prompt(line))

    def _take_inside(self, line: str) -> None:
        if line.strip() == self._block.value:
            if self._block is Block.RESULT and ERROR_LINE.match(self._header):
                self.progress = Progress.SETTLING  # whether OK follows an error is not on record
            self._block = Block.NONE
            self._framed = True
        elif line.strip():
            self._keep(line)

    def _take_outside(self, line: str) -> None:
        text = line.strip()
        if not text:
            return
        if self.echoes is not False and self._is_echo(text):
            self._start_again()
            return
        if self.echoes and not self.echo_seen:
            return
        if text.startswith("*s "):
            self._begin(Block.STATUS, text)
        elif self.only_status and not self._framed:
            return
        elif text.startswith("*r "):
            self._begin(Block.RESULT, text)
        elif text.startswith("*c "):
            self._begin(Block.NONE, text)
            self._framed = True
        elif text == "OK":
            self.progress = Progress.DONE if self._framed else Progress.SETTLING
        elif ERROR_LINE.match(text):
            self._refusal = self._refusal or text
            self.progress = Progress.SETTLING
        else:
            self._other += 1
            if not self._refusal:
                self.progress = Progress.WAITING  # the OK before this line was not the end

    def _begin(self, block: Block, text: str) -> None:
        self._refusal = ""  # an error text before a proper block was an alarm, not the answer
        self.progress = Progress.WAITING
        self._block = block
        self._header = text
        self._keep(text)

    def _keep(self, line: str) -> None:
        opened = OPEN_VALUE.match(line)
        if opened is not None and not opened.group(1).rstrip().endswith('"'):
            self._value.append(line)
        else:
            self._lines.append(line)

    def _go_on_with_value(self, line: str) -> None:
        self._value.append(line)
        if line.rstrip().endswith('"'):
            self._lines.append("\n".join(self._value))
            self._value.clear()

    def _is_echo(self, text: str) -> bool:
        if not self.sent or text.startswith("*") or ERROR_LINE.match(text):
            return False  # a reply that quotes our line
        return text == self.sent or (not self.echo_seen and text.endswith(self.sent))

    def _start_again(self) -> None:
        self.echo_seen = True
        self.progress = Progress.WAITING
        self._lines.clear()
        self._framed = False
        self._refusal = ""
        self._other = 0

    def _without_prompt(self, line: str) -> str:
        while self.prompt and line.startswith(self.prompt):
            line = line[len(self.prompt) :]
        return line
