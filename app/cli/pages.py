"""The pages of docs/ that are made from the code, so that they cannot drift from it.

python -m app.cli.pages            write them
python -m app.cli.pages --check    say which are not up to date; exit code 1 where any is
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from app.api.problems import markdown
from app.appliance.alarm_catalogue import CATALOGUE
from app.checks.catalogue import CHECKS
from app.checks.check import Concern
from app.cli.reference import cli_page
from app.procedures.base import Param, Procedure
from app.procedures.registry import PROCEDURES
from app.settings import Settings

ROOT = Path(__file__).parents[2]
_BEGIN = "| procedure | guide | |\n|---|---|---|\n"


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated page: where it lies and what must stand there."""
    yield ROOT / "docs" / "settings.md", settings_page()
    yield ROOT / "docs" / "problems.md", markdown()
    yield ROOT / "docs" / "cli.md", cli_page()
    yield ROOT / "docs" / "checks.md", checks_page()
    yield ROOT / "docs" / "alarms.md", alarms_page()
    yield ROOT / "docs" / "procedures" / "README.md", catalogue_page()
    for procedure in PROCEDURES.values():
        yield ROOT / "docs" / "procedures" / f"{procedure.slug}.md", procedure_page(procedure)
    readme = ROOT / "README.md"
    yield readme, with_catalogue(readme.read_text(encoding="utf-8"))


def settings_page() -> str:
    """All settings, by environment variable."""
    lines = [
        "# Settings",
        "",
        "Read from the environment once at start. Made from `app/settings.py`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = None if field.default_factory is not None else field.default
        shown = "" if default is None else f"`{default}`"
        lines.append(f"| `CLUSTERWAY_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"


def checks_page() -> str:
    """Every check, in the order of the guide."""
    lines = [
        "# Checks",
        "",
        "`GET /v1/clusters/{id}/checks` runs all of them and lists those that pass too; a plan",
        "runs those that concern it. An outcome is `pass`, `warning`, `unknown` (it says what",
        "would settle it: a capability of an endpoint, or an operator's statement) or",
        "`blocker`. What an operator stated at a gate of one of the cluster's last 20 jobs settles",
        "the same unknown here, for the same peers and for 90 days; the entry names who and when.",
        "`make findings` shows each one fail and pass on a simulated fleet. Made from",
        "`app/checks/catalogue.py`.",
        "",
        "Round trips are measured from peer to peer where a transport can (`ping_from_peer`). Else",
        "the entry stays unknown and tells what was measured from this service: from its round",
        "trips `a` and `b` to two peers follows that theirs is between `|a-b|` and `a+b` if no way",
        "in the network is longer than a detour over a third of these hosts. Networks need not be",
        "so, which is why that bound never makes the check pass, nor fail.",
        "",
        "| check | what should be so | about | requirements |",
        "|---|---|---|---|",
    ]
    for check in CHECKS:
        about = check.scope.value if check.concern is Concern.ALL else check.concern.value
        cites = " ".join(check.cites)
        lines.append(f"| `{check.key}` | {check.title} | {about} | {cites} |")
    return "\n".join(lines) + "\n"


def alarms_page() -> str:
    """Every alarm of the catalogue."""
    lines = [
        "# Alarms",
        "",
        "`GET /v1/alarms?find=` looks one up by its number, its UUID or its text, in the words of",
        "any version (X8.2 says master and slave, later versions primary and subordinate).",
        "`GET /v1/clusters/{id}/diagnosis` puts the causes behind a cluster's alarms in order.",
        "Numbers in brackets are inferred, not on record. Made from",
        "`app/appliance/alarm_catalogue.py`.",
        "",
        "| number | begins | level | cause | what to do | guide |",
        "|---|---|---|---|---|---|",
    ]
    for kind in CATALOGUE:
        numbers = ", ".join(map(str, kind.numbers))
        shown = numbers if kind.verified else f"({numbers})"
        begins = f"{kind.title} ... {kind.says[0][1]}" if kind.says and kind.says[0][1] else ""
        cites = " ".join(kind.requirements)
        lines.append(
            f"| {shown} | {begins or kind.title} | {kind.level.value} | {kind.cause} |"
            f" {kind.action} | {cites} |"
        )
    return "\n".join(lines) + "\n"


def catalogue_page() -> str:
    """The list of procedures."""
    intro = "# Procedures\n\nOne page each, made from the registry in `app/procedures`.\n\n"
    return intro + _BEGIN + _rows("")


def with_catalogue(readme: str) -> str:
    """The README with the list of procedures as it is now."""
    before, _, rest = readme.partition(_BEGIN)
    after = rest.partition("\n\n")[2]
    return f"{before}{_BEGIN}{_rows('docs/procedures/')}\n{after}"


def procedure_page(procedure: Procedure) -> str:
    """One procedure: what it does, its parameters, where to call it."""
    lines = [
        f"# {procedure.title}",
        "",
        procedure.summary,
        "",
        f"Guide: p.{procedure.guide_pages}. Plan it with",
        f"`POST /v1/clusters/{{cluster_id}}/procedures/{procedure.slug}/plan`, start it with",
        f"`POST /v1/clusters/{{cluster_id}}/procedures/{procedure.slug}`.",
        "The plan lists every step with its requirement ids, the findings, the impact and the way",
        "back.",
        "",
        "| parameter | default | meaning |",
        "|---|---|---|",
    ]
    lines += [_parameter(field, param) for field, param in _parameters(procedure)]
    module = sys.modules[procedure.draft.__module__]
    paragraphs = (module.__doc__ or "").strip().split("\n\n")
    if len(paragraphs) > 1:
        lines += ["", *"\n\n".join(paragraphs[1:]).splitlines()]
    return "\n".join(lines) + "\n"


def _rows(folder: str) -> str:
    return "".join(
        f"| [{p.slug}]({folder}{p.slug}.md) | p.{p.guide_pages} | {p.summary} |\n"
        for p in PROCEDURES.values()
    )


def _parameters(procedure: Procedure) -> Iterator[tuple[dataclasses.Field[Any], Param]]:
    hints = get_type_hints(procedure.parameters, include_extras=True)
    for field in dataclasses.fields(procedure.parameters):
        yield field, next(a for a in get_args(hints[field.name]) if isinstance(a, Param))


def _parameter(field: dataclasses.Field[Any], param: Param) -> str:
    required = field.default is dataclasses.MISSING
    default = "required" if required else f"`{field.default!r}`"
    return f"| `{field.name}` | {default} | {param.description} |"


def main(arguments: list[str]) -> int:
    """Write the pages, or check them."""
    stale = []
    for path, text in pages():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if "--check" not in arguments:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path.relative_to(ROOT)}: {'stale' if '--check' in arguments else 'written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
