"""docs/cli.md, made from the commands themselves: every command, option and exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from app.cli.exits import Exit
from app.cli.main import app

ABOUT = """\
# The command line

`clusterway` does the daily work over the public API alone, from any machine. Made from `app/cli`.

## A service and its key

```sh
clusterway profiles add lab --url https://clusterway.example.com    # asks for the key, hidden
clusterway profiles add prod --url https://cw.example.com --key-command "pass show clusterway"
clusterway profiles use lab
```

A key is never an argument. Profiles lie in `$XDG_CONFIG_HOME/clusterway/profiles.json` (mode 0600;
a file that others may read is refused). A command takes its service from, in this order:
`--profile`, `CLUSTERWAY_PROFILE`, `CLUSTERWAY_URL` with `CLUSTERWAY_API_KEY`, the profile in use.
Proxies of the environment are not used.

## What all commands have in common

- `--json`: the API's documents on stdout and nothing else, for `jq`. Without it tables; where there
  is no terminal they are columns that nothing wraps or shortens.
- Errors are on stderr: what the problem is, its remedy, and the request id for the service's logs.
- Clusters, peers and credentials are given by name or id.
- A start has an idempotency key, made once and sent again when no answer comes, so that it starts
  one job. Where no answer came at all, the command says under which key to ask again.
- `clusterway --install-completion` completes commands, options, and the names of profiles,
  clusters, peers, procedures and jobs.
"""


def cli_page() -> str:
    """The whole page."""
    lines = [ABOUT, "## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {int(code)} | {code.meaning} |" for code in Exit]
    lines += ["", "## Commands", ""]
    for path, found in _commands(get_command(app), ("clusterway",)):
        lines += _command(path, found)
    return "\n".join(lines).rstrip() + "\n"


def _commands(found: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    inner = getattr(found, "commands", None)
    if inner is None:
        yield " ".join(path), found
        return
    for name in inner:
        yield from _commands(inner[name], (*path, name))


def _command(path: str, found: Any) -> Iterator[str]:
    shown = [one for one in found.params if one.name not in {"profile", "as_json", "help"}]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    usage = " ".join([path, *(_argument(one) for one in arguments)])
    yield f"### `{usage}`"
    yield ""
    yield " ".join((found.help or "").split())
    yield ""
    rows = [(_name(one), " ".join((one.help or "").split())) for one in shown]
    if rows:
        yield "| | |"
        yield "|---|---|"
        yield from (f"| `{name}` | {meaning} |" for name, meaning in rows)
        yield ""


def _argument(one: Any) -> str:
    name = one.metavar or one.name.upper()
    many = "..." if one.nargs == -1 else ""
    return f"{name}{many}" if one.required else f"[{name}{many}]"


def _name(one: Any) -> str:
    if one.param_type_name == "argument":
        return str(one.metavar or one.name.upper())
    return " / ".join([*one.opts, *one.secondary_opts])
