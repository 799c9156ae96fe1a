"""Which requirement of the guide is satisfied by what.

Nothing is listed by hand that the code can tell: steps, gates and findings are read off real plans
over rehearsed fleets (app.guide.rehearsing), the ids that checks cite are read off their source.
Only what no code can satisfy (a reference, a limit of the guide, advice) stands in documents.yaml,
each with a sentence that says why and where it is dealt with.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from app.domain.plan import Plan
from app.guide import requirements
from app.procedures.base import Handler

KINDS = ("step", "verify", "gate", "finding", "check", "report", "document")
"""How a requirement can be satisfied, the strongest first."""

ROOT = Path(__file__).parents[2]
CITING = ("app/checks", "app/dns", "app/appliance")
"""Folders of pure rules, whose literals cite requirements."""
FINDING = "app/procedures"
"""Functions there that return findings cite in their literals; steps are read off plans."""

_RUNS_STEPS = "tests/matrix/test_matrix.py"
_RUNS_PLANS = "tests/unit/guide/test_coverage.py"
_ID = re.compile(r"^[A-Z]{3}(-[A-Z])?-\d\d$")


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One thing that satisfies a requirement. `test` is the test module that runs it."""

    kind: str
    where: str
    test: str
    why: str = ""


Coverage = Mapping[str, tuple[Source, ...]]


def collect(plans: Iterable[Plan], handlers: Mapping[str, Handler]) -> Coverage:
    """Every requirement with all that satisfies it, the strongest kind first."""
    found: dict[str, set[Source]] = {name: set() for name in requirements()}
    for name, source in (*of_plans(plans, handlers), *of_checks(), *of_documents()):
        if name not in found:
            raise LookupError(f"{source.where} cites {name}, which the guide does not have")
        found[name].add(source)
    return {
        name: tuple(sorted(sources, key=lambda s: (KINDS.index(s.kind), s.where)))
        for name, sources in found.items()
    }


def missing(coverage: Coverage) -> tuple[str, ...]:
    """The requirements that nothing satisfies."""
    return tuple(name for name, sources in coverage.items() if not sources)


def of_plans(
    plans: Iterable[Plan], handlers: Mapping[str, Handler]
) -> Iterator[tuple[str, Source]]:
    """What steps, gates and findings of plans cite."""
    for plan in plans:
        for step in plan.steps:
            kind = "step" if handlers[step.kind].act is not None else "verify"
            kind = "gate" if step.attestation else kind
            source = Source(kind, f"{plan.procedure}: {_general(step.key)}", _RUNS_STEPS)
            for name in step.requirements:
                yield name, source
        for finding in plan.findings:
            source = Source("finding", f"{plan.procedure}: {finding.code}", _RUNS_PLANS)
            for name in finding.requirements:
                yield name, source


def _general(key: str) -> str:
    """A step's key without the name of the peer it is on."""
    return re.sub(r"-exp\d+$", "", key)


def of_checks() -> Iterator[tuple[str, Source]]:
    """What functions and tables of the pure rules cite in their literals, docstrings aside."""
    for folder in CITING:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from _of_module(path, "check", findings_only=False)
    for path in sorted((ROOT / FINDING).glob("*.py")):
        yield from _of_module(path, "finding", findings_only=True)


def _of_module(path: Path, kind: str, *, findings_only: bool) -> Iterator[tuple[str, Source]]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        returns = getattr(node, "returns", None)
        if findings_only and (returns is None or "Finding" not in ast.unparse(returns)):
            continue
        name = getattr(node, "name", "")
        where = f"{module}.{name}" if name else module
        for text in _literals(node):
            for word in text.replace(",", " ").split():
                if _ID.match(word):
                    yield word, Source(kind, where, test_of(where))


def _literals(node: ast.AST) -> Iterator[str]:
    """String constants below a node that are not docstrings (statements of their own)."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value
        else:
            yield from _literals(child)


@cache
def _tests() -> Mapping[str, str]:
    text = files(__package__).joinpath("tests.yaml").read_text(encoding="utf-8")
    table: dict[str, str] = yaml.safe_load(text)
    return table


def test_of(where: str) -> str:
    """The test module that runs a rule, by the longest beginning of its dotted name."""
    found = [name for name in _tests() if where == name or where.startswith(f"{name}.")]
    if not found:
        raise LookupError(f"app/guide/tests.yaml names no test that runs {where}")
    return _tests()[max(found, key=len)]


@cache
def _documents() -> tuple[Mapping[str, Any], ...]:
    text = files(__package__).joinpath("documents.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text)
    return tuple(entries)


@cache
def gate_reasons() -> Mapping[str, str]:
    """Why nothing but an operator's word satisfies a requirement, by its id."""
    text = files(__package__).joinpath("gates.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, str]] = yaml.safe_load(text)
    return {name: entry["why"] for entry in entries for name in entry["ids"].split()}


def by_word(coverage: Coverage) -> tuple[str, ...]:
    """The requirements that nothing but an operator's word satisfies; findings tell of some."""
    return tuple(
        name
        for name, sources in coverage.items()
        if sources and sources[0].kind == "gate" and {s.kind for s in sources} <= _WORD
    )


_WORD = frozenset({"gate", "finding"})

RECORD = "coverage.json"
"""The coverage as it was last collected, kept in order by a test: what the service shows."""


def to_record(coverage: Coverage) -> str:
    """The coverage as the record keeps it."""
    entries = {
        name: [[s.kind, s.where, s.test, s.why] for s in sources]
        for name, sources in coverage.items()
    }
    return json.dumps(entries, indent=0, ensure_ascii=False) + "\n"


@cache
def recorded() -> Coverage:
    """The coverage of the record."""
    text = files(__package__).joinpath(RECORD).read_text(encoding="utf-8")
    return {
        name: tuple(Source(*entry) for entry in sources)
        for name, sources in json.loads(text).items()
    }


def of_documents() -> Iterator[tuple[str, Source]]:
    """What only a document, a reference or a report satisfies; entries may share their words."""
    for entry in _documents():
        for name in str(entry["ids"]).split():
            kind = str(entry.get("kind", "document"))
            test = str(entry.get("test", _RUNS_PLANS))
            yield name, Source(kind, str(entry["where"]), test, str(entry["why"]))
