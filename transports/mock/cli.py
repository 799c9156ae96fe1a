"""The appliance's command line: one line in, the text of its answer out.

Written from the recorded shapes (device facts 1) and from nothing in our own transports: it has its
own tokeniser, so that a mistake in how a transport writes a line cannot be hidden by the same
mistake here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from transports.document import Path
from transports.errors import InvalidRequest
from transports.mock import cli_text, commands
from transports.mock.configuration import DeviceRefusal
from transports.mock.expressway import Expressway
from transports.mock.status import prune

_TOKEN = re.compile(r'\s*(?:"([^"]*)"|([^\s"]+))')
_LEAVE = {"exit", "bye", "quit", "logout"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What comes back: complete lines without line ends. `leave`: the session is over."""

    lines: tuple[str, ...]
    leave: bool = False


class CommandLine:
    """The command line of one appliance, as the user `admin` has it."""

    def __init__(self, device: Expressway) -> None:
        self._device = device

    def banner(self) -> list[str]:
        """What a new session shows before the first prompt."""
        banner = self._device.profile.banner.format(version=self._device.version)
        alarms = [f"Alarm: {alarm.title}" for alarm in self._device.alarms.listed()]
        end = ["", "OK"] if self._device.profile.banner_ok else [""]
        return [*banner.splitlines(), *alarms, *end] if banner else []

    def execute(self, line: str) -> Reply:
        """Carry out one line."""
        if len(line) > self._device.profile.max_line:
            return self._unknown()
        stripped = line.strip()
        if not stripped:
            return Reply(())
        if not stripped.isprintable():
            return self._unknown()
        word, _, rest = stripped.partition(" ")
        word, rest = word.casefold(), rest.strip()
        if word in _LEAVE:
            return Reply((), leave=True)
        verbs = {
            "xstatus": self._status,
            "xconfiguration": self._configuration,
            "xcommand": self._command,
        }
        if word not in verbs:
            return self._unknown()
        try:
            return verbs[word](rest)
        except InvalidRequest:
            return self._unknown()

    def _status(self, rest: str) -> Reply:
        root = self._device.status()
        if rest in {"?", "help"}:
            return _ok(cli_text.names_help("Status", {node.name for node in root.children}))
        if not rest:
            return _ok(cli_text.status_blocks(root))
        path = Path.parse(rest.replace("/", " "))
        if not root.all(path.segments[0].name):
            return self._unknown()
        return _ok(cli_text.status_blocks(prune(root, path)))

    def _configuration(self, rest: str) -> Reply:
        if rest.endswith("?") and ":" not in rest:
            words = rest[:-1].split()
            items = self._device.configuration.schema.items
            return _ok(
                cli_text.item_help([i for i in items if i.match(words, whole=False) is not None])
            )
        path, colon, value = rest.partition(":")
        words = path.split()
        try:
            if not colon:
                return _ok(cli_text.configuration_lines(self._device.configuration.entries(words)))
            self._device.write(words, _one_value(value))
        except DeviceRefusal as refusal:
            if not colon:
                return self._unknown()
            text = self._device.profile.refused_write.format(description=refusal.description)
            return Reply((text,))
        return _ok([""])

    def _command(self, rest: str) -> Reply:
        if rest in {"?", "??", "help"}:
            names = {command.name for command in commands.COMMANDS.values()}
            return _ok(cli_text.names_help("Command", names))
        name, _, arguments = rest.partition(" ")
        try:
            if arguments.strip() == "?":
                return _ok(cli_text.command_help(commands.find(self._device, name)))
            result = commands.run(self._device, name, _parameters(arguments))
        except commands.UnknownCommand:
            return self._unknown()
        except DeviceRefusal as refusal:
            block = cli_text.error_block(refusal.cause, refusal.description)
            return _ok(block) if self._device.profile.error_result_ok else Reply(tuple(block))
        return _ok(cli_text.result_block(result))

    def _unknown(self) -> Reply:
        profile = self._device.profile
        word = profile.unknown_command
        return _ok([word, ""]) if profile.unknown_command_ok else Reply((word,))


def _ok(lines: list[str]) -> Reply:
    return Reply((*lines, "OK"))


def tokens(text: str) -> list[tuple[str, bool]]:
    """Words and whether each was quoted. Raises DeviceRefusal where a quote is left open."""
    found: list[tuple[str, bool]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise DeviceRefusal("Unmatched quotation mark", cause=21)
        quoted = match.group(1) is not None
        found.append((match.group(1) if quoted else match.group(2), quoted))
        position = match.end()
    return found


def _one_value(text: str) -> str:
    words = tokens(text)
    if len(words) != 1:
        raise DeviceRefusal("Give one value, in quotation marks where it has blanks", cause=21)
    return words[0][0]


def _parameters(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    words = tokens(text)
    while words:
        name, quoted = words.pop(0)
        if quoted or not name.endswith(":") or not words:
            raise DeviceRefusal("Give parameters as Name: value", cause=12)
        if name[:-1] in values:
            raise DeviceRefusal(f"Parameter given twice: {name[:-1]}", cause=12)
        values[name[:-1]] = words.pop(0)[0]
    return values
