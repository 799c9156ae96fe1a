"""How the appliance writes its answers: blocks of *s, *c, *r and *h (facts 1.2, 1.3).

Two blanks a level is the device facts' own reconstruction; which status elements carry an index is
read off the recorded XML document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transports.document import Node
from transports.mock.commands import KnownCommand
from transports.mock.schema import Item

_REPEATED = {
    ("Status", "Ethernet"),
    ("Status", "Feedback"),
    ("Alternates", "Peer"),
    ("Calls", "Call"),
    ("DNS", "Server"),
    ("IntrusionProtection", "Category"),
    ("Links", "Link"),
    ("Neighbor", "Peer"),
    ("Registrations", "Registration"),
    ("TraversalClient", "Peer"),
    ("Warnings", "Warning"),
    ("Zones", "Zone"),
}
_ALWAYS_TEXT = {"Name", "SerialNumber", "Address", "Alias", "ReleaseKey", "Version", "Build"}


def status_blocks(root: Node) -> list[str]:
    """A `*s` block for each element below the root."""
    lines: list[str] = []
    for node in root.children:
        lines += _element(node, root.name, "*s ", 0)
        lines.append("*s/end")
        lines.append("")
    return lines or [""]


def configuration_lines(entries: Iterable[tuple[str, str]]) -> list[str]:
    """A `*c` line for each value, full path, value quoted even where it is an enumeration."""
    return [*(f'*c xConfiguration {path}: "{value}"' for path, value in entries), ""]


def result_block(result: Node) -> list[str]:
    """The `*r` block of a command that was carried out."""
    lines = ["*r Result (status=OK):"]
    lines += [f"  {node.name}: {_value(node)}" for node in result.children]
    return [*lines, "*r/end", ""]


def error_block(cause: int, description: str) -> list[str]:
    """The `*r` block of a command that was declined."""
    return [
        "*r Result (status=Error):",
        f"  Cause: {cause}",
        f'  Description: "{description}"',
        "*r/end",
        "",
    ]


def command_help(command: KnownCommand) -> list[str]:
    """`xCommand <Name> ?`."""
    lines = [f"*h xCommand {command.name}"]
    lines += [f"     {p.name}{'(r)' if p.required else ''}: {p.space}" for p in command.parameters]
    return [*lines, ""]


def item_help(items: Sequence[Item]) -> list[str]:
    """`xConfiguration <path> ?`."""
    return [*(f"*h xConfiguration {item.pattern}: {item.space}" for item in items), ""]


def names_help(title: str, names: Iterable[str]) -> list[str]:
    """`xStatus ?` and `xCommand ?`: what there is."""
    return [f"- {title} -", *sorted(names), ""]


def _element(node: Node, parent: str, prefix: str, depth: int) -> list[str]:
    name = f"{node.name} {node.index}" if (parent, node.name) in _REPEATED else node.name
    if node.attributes:
        name += " (" + ", ".join(f"{k}={v}" for k, v in node.attributes.items()) + ")"
    indent = "  " * depth
    if node.value is not None and not node.children:
        return [f"{indent}{prefix}{name}: {_value(node)}"]
    lines = [f"{indent}{prefix}{name}: /"]
    for child in node.children:
        lines += _element(child, node.name, "", depth + 1)
    return lines


def _value(node: Node) -> str:
    value = node.value or ""
    if value.isascii() and value.isdigit() and node.name not in _ALWAYS_TEXT:
        return value
    return f'"{value}"'
