"""`clusterway profiles`: which services this person speaks to, and with which keys."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

import typer

from app.cli import names, profile_file, secrets
from app.cli.desk import AsJson
from app.cli.exits import Stopped, misused
from app.cli.output import complain, output
from app.cli.profile_file import Profile

app = typer.Typer(no_args_is_help=True, help="Services and keys of yours.")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Name = Annotated[str, typer.Argument(help="The profile.", autocompletion=names.complete_profile)]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What you call it.")],
    url: Annotated[str, typer.Option(help="Where the service answers.")],
    key_env: Annotated[
        str, typer.Option(help="Take the key from this environment variable at each use.")
    ] = "",
    key_command: Annotated[
        str, typer.Option(help="Take the key from what this command prints, at each use.")
    ] = "",
) -> None:
    """Keep a service. The key is asked for, or is the first line of stdin; the first one is used.

    With --key-env or --key-command no key is kept.
    """
    with _told():
        if key_env and key_command:
            raise misused("give --key-env or --key-command, not both")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise misused(f"{url!r} is not a URL like https://clusterway.example.com")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            complain(f"{url} is not encrypted: whoever listens on the way reads the key")
        profiles = profile_file.load()
        key = "" if key_env or key_command else secrets.ask("API key")
        profiles.by_name[name] = Profile(url.rstrip("/"), key, key_env, key_command)
        profiles.current = profiles.current or name
        profile_file.save(profiles)
    typer.echo(f"{name} is kept in {profile_file.path()}")


@app.command("list")
def show(as_json: AsJson = False) -> None:
    """List profiles, without their keys."""
    with _told():
        profiles = profile_file.load()
    entries = [
        {"name": name, "url": one.url, "key": one.key_from, "in_use": name == profiles.current}
        for name, one in sorted(profiles.by_name.items())
    ]
    out = output(as_json=as_json)
    out.document({"items": entries})
    out.table(
        ("name", "url", "key from", "in use"),
        [(e["name"], e["url"], e["key"], e["in_use"]) for e in entries],
    )


@app.command("use")
def use(name: Name) -> None:
    """Use this profile where no other is named."""
    with _told():
        profiles = profile_file.load()
        _known(profiles, name)
        profiles.current = name
        profile_file.save(profiles)
    typer.echo(f"{name} is in use")


@app.command("remove")
def remove(name: Name) -> None:
    """Forget a profile and its key; the service still knows the key."""
    with _told():
        profiles = profile_file.load()
        _known(profiles, name)
        del profiles.by_name[name]
        if profiles.current == name:
            profiles.current = ""
        profile_file.save(profiles)
    typer.echo(f"{name} is forgotten here; revoke its key in the service if nobody needs it")


class _told:  # noqa: N801 - reads as a word in `with _told():`
    """A command ends here with words and an exit code."""

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Stopped):
            complain(str(error))
            raise typer.Exit(error.code) from None


def _known(profiles: profile_file.Profiles, name: str) -> None:
    if name not in profiles.by_name:
        known = ", ".join(sorted(profiles.by_name)) or "none"
        raise misused(f"there is no profile {name!r}; known: {known}")
