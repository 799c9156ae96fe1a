"""Administrator accounts by the command line.

The list is configuration (`Authentication Account Admin Account n Name`), deleting is a command
(`AdminAccountDelete`). Its parameter is on record in two forms: by name (X15) and by number (X4;
device facts 3). Which one X8.2 takes is not known, so the name is tried first and the number where
the appliance declines the name's form. The default `admin` may or may not be in the list; it exists
on every appliance, and is never deleted (guide p.11: all other accounts are).
"""

from __future__ import annotations

from typing import Protocol

from transports.command import Command
from transports.document import Node, Path
from transports.errors import CommandRejected

DEFAULT_ACCOUNT = "admin"
_ACCOUNTS = Path.parse("Authentication Account Admin Account")


class _CommandLine(Protocol):
    async def read_configuration(self, path: Path) -> Node: ...

    async def run(self, command: Command) -> Node: ...


async def read_names(line: _CommandLine) -> tuple[str, ...]:
    """All administrator accounts, the default one first."""
    names = (await _numbered(line)).values()
    return (DEFAULT_ACCOUNT, *(name for name in names if name != DEFAULT_ACCOUNT))


async def delete(line: _CommandLine, name: str) -> None:
    """Delete one account.

    Raises CommandRejected for the default account, where there is none of that name, and where the
    appliance declines both forms.
    """
    if name == DEFAULT_ACCOUNT:
        raise CommandRejected("the default administrator account is not deleted")
    number = next((n for n, known in (await _numbered(line)).items() if known == name), None)
    if number is None:
        raise CommandRejected("there is no administrator account of that name")
    try:
        await line.run(Command("AdminAccountDelete", {"Name": name}))
    except CommandRejected:
        await line.run(Command("AdminAccountDelete", {"AdminAccountId": str(number)}))


async def _numbered(line: _CommandLine) -> dict[int, str]:
    tree = await line.read_configuration(_ACCOUNTS)
    parent = tree.find("Authentication Account Admin")
    accounts = parent.all("Account") if parent is not None else []
    named = ((account.index, account.get("Name") or "") for account in accounts)
    return {index: name for index, name in named if name}
