"""Typed settings and commands, and the only place that writes them as CLI text or XML.

Nothing above this module composes a line for an appliance, so a value that would break out of its
line cannot get there: control characters are refused, and so are the two characters whose escaping
on this CLI is not on record (`"` and the backslash; device facts, section 12). Values that need
them travel by XML or by a web form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from transports.document import Path
from transports.errors import InvalidRequest

MAX_VALUE_LENGTH = 1024
_UNESCAPABLE = frozenset('"\\')


@dataclass(frozen=True, slots=True)
class Setting:
    """One configuration value at one place: `Alternates Peer 1 Address: "192.0.2.11"`."""

    path: Path
    value: str = field()

    @classmethod
    def of(cls, path: str, value: str) -> Setting:
        """A setting from a path as the CLI writes it."""
        return cls(Path.parse(path), value)


@dataclass(frozen=True, slots=True)
class Command:
    """One xCommand with named parameters, as machines should give them (device facts 1.2)."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def setting_line(setting: Setting) -> str:
    """The CLI line that writes the setting; exactly one line, without its line end."""
    _one_place(setting.path)
    return f"xConfiguration {setting.path}: {_quoted(setting.value)}"


def command_line(command: Command) -> str:
    """The CLI line that runs the command; exactly one line, without its line end."""
    words = [f"xCommand {_name(command.name)}"]
    words += [f"{_name(key)}: {_quoted(value)}" for key, value in command.parameters.items()]
    return " ".join(words)


def setting_document(settings: tuple[Setting, ...]) -> str:
    """The `<Configuration>` document that writes the settings by putxml (device facts 5)."""
    body = "".join(_setting_element(setting) for setting in settings)
    return f"<Configuration>{body}</Configuration>"


def command_document(command: Command) -> str:
    """The `<Command>` document that runs the command by putxml (device facts 5)."""
    name = _name(command.name)
    parameters = "".join(
        f'<{_name(key)} item="1">{escape(_checked(value))}</{_name(key)}>'
        for key, value in command.parameters.items()
    )
    return f'<Command><{name} item="1">{parameters}</{name}></Command>'


def _setting_element(setting: Setting) -> str:
    _one_place(setting.path)
    opened = "".join(f'<{s.name} item="{s.index or 1}">' for s in setting.path.segments)
    closed = "".join(f"</{s.name}>" for s in reversed(setting.path.segments))
    return f"{opened}{escape(_checked(setting.value))}{closed}"


def _one_place(path: Path) -> None:
    if not path.segments:
        raise InvalidRequest("a setting needs a path")


def _name(word: str) -> str:
    if not (word.isascii() and word.replace(".", "").isalnum() and word[0].isalpha()):
        raise InvalidRequest(f"{word!r} is no command or parameter name")
    return word


def _checked(value: str) -> str:
    if len(value) > MAX_VALUE_LENGTH:
        raise InvalidRequest(f"a value may have at most {MAX_VALUE_LENGTH} characters")
    if any(not character.isprintable() for character in value):
        raise InvalidRequest("a value may not contain control characters or line ends")
    return value


def _quoted(value: str) -> str:
    if _UNESCAPABLE & set(_checked(value)):
        raise InvalidRequest(
            'a value for the CLI may not contain " or \\ : how this CLI escapes them is not known'
        )
    return f'"{value}"' if not (value.isascii() and value.isalnum()) else value
