"""The place where a command stands: a profile's client, the output, and how errors are told.

A command is an async function whose first parameter is the `Desk`. `command` gives it the options
that all have (`--profile`, `--json`) and turns whatever goes wrong into words on stderr and an exit
code of `app.cli.exits`, so that no command does so itself.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

import httpx
import typer

from app.cli import names, profile_file
from app.cli.client import ApiError, Client
from app.cli.exits import Exit, Stopped, misused
from app.cli.output import Output, complain, output

ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        help="The profile to use; else CLUSTERWAY_PROFILE, else CLUSTERWAY_URL with"
        " CLUSTERWAY_API_KEY, else the one in use.",
        autocompletion=names.complete_profile,
        show_default=False,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="The API's documents on stdout, and nothing else.")
]
Command = Callable[..., Awaitable[None]]


@dataclass
class Desk:
    """What a command works with."""

    client: Client
    out: Output
    goes_on: str = ""
    """What may go on in the service when this command breaks off, and how to see it."""

    async def cluster(self, name_or_id: str) -> dict[str, Any]:
        """The cluster of that name or id. Raises Stopped or ApiError."""
        return await names.found(self.client, "cluster", name_or_id)

    async def cluster_id(self, name_or_id: str) -> str:
        """Its id."""
        return str((await self.cluster(name_or_id))["id"])

    async def peer_id(self, name_or_id: str) -> str:
        """The id of the peer of that name or id."""
        return str((await names.found(self.client, "peer", name_or_id))["id"])

    async def credential_id(self, name_or_id: str) -> str:
        """The id of the credential of that name or id."""
        return str((await names.found(self.client, "credential", name_or_id))["id"])


def command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Register an async function over a Desk as the command of that name."""

    def register(function: Command) -> Command:
        def run(*, profile: str, as_json: bool, **given: Any) -> None:
            carry_out(lambda desk: function(desk, **given), profile, as_json=as_json)

        run.__doc__ = function.__doc__
        run.__signature__ = _signature(function)  # type: ignore[attr-defined]
        run.__annotations__ = {}
        app.command(name)(run)
        return function

    return register


def carry_out(work: Callable[[Desk], Awaitable[None]], profile: str, *, as_json: bool) -> None:
    """Run it at a desk. Raises typer.Exit unless all is well."""
    goes_on = ""

    async def run() -> None:
        nonlocal goes_on
        found = profile_file.chosen(profile)
        async with _client(found) as client:
            desk = Desk(client, output(as_json=as_json))
            try:
                await work(desk)
            finally:
                goes_on = desk.goes_on

    try:
        asyncio.run(run())
    except Stopped as error:
        code, words = error.code, str(error)
    except ApiError as error:
        code, words = Exit.REFUSED, str(error)
    except httpx.TransportError as error:
        code, words = Exit.NOT_REACHABLE, "\n  ".join(filter(None, (unreachable(error), goes_on)))
    except KeyboardInterrupt:
        code, words = Exit.INTERRUPTED, f"interrupted; {goes_on or 'nothing goes on'}"
    else:
        return
    if words:
        complain(words)
    raise typer.Exit(code)


def unreachable(error: httpx.TransportError) -> str:
    """In words a person can act on."""
    try:
        url = str(error.request.url.copy_with(raw_path=b"/")).rstrip("/")
    except RuntimeError:
        url = "the service"
    why = str(error) or type(error).__name__
    return f"{url} does not answer: {why}\n  remedy: check the profile's URL and that it runs"


def _client(profile: profile_file.Profile) -> Client:
    key = profile.read_key()
    try:
        key.encode("ascii")
        return Client(profile.url, key)
    except (httpx.InvalidURL, ValueError) as error:
        raise misused(f"the profile's URL or key cannot be used: {error}") from error


def _signature(function: Command) -> inspect.Signature:
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    all_have = [
        inspect.Parameter("profile", keyword, default="", annotation=ProfileName),
        inspect.Parameter("as_json", keyword, default=False, annotation=AsJson),
    ]
    shown = [one.replace(kind=keyword, annotation=hints[one.name]) for one in own]
    return inspect.Signature([*shown, *all_have])
