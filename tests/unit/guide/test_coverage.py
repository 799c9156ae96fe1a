"""601 of 601: every requirement is satisfied by something, and a named test runs that something."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import guide
from app.guide import requirements
from app.guide.coverage import KINDS, Coverage, Source, collect, missing, of_checks, of_documents
from app.guide.rehearsing import plans
from app.guide.scenarios import REHEARSED, Rehearsed
from app.procedures.registry import HANDLERS, PROCEDURES
from tests.matrix.test_matrix import titles
from tests.unit.checks.fleet_bench import bench
from transports.mock.virtual_time import run

ROOT = Path(guide.ROOT)


REFUSED = (
    Rehearsed("change-primary", {"peer_id": "exp1"}, members=2),
    Rehearsed("disband", {}, members=2, off=("exp2",)),
    Rehearsed("remove-dead-peer", {"peer_ids": ("exp2",)}, members=2),
    Rehearsed(
        "remove-dead-peer",
        {"peer_ids": ("exp1",), "new_primary_peer_id": "exp1"},
        members=2,
        off=("exp1",),
    ),
    Rehearsed("change-peer-address", {"peer_id": "exp2", "new_address": "192.0.2.11"}, members=2),
    Rehearsed("align-clustering", {"out_of_service_peer_ids": ("exp1",)}, members=2),
)
"""Plans that are blocked: they run the findings that no good plan has."""


@contextmanager
def watched() -> Iterator[set[str]]:
    """Every function of the rules that runs meanwhile, by its dotted name."""
    called: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__", "")
            if module.startswith("app."):
                called.add(f"{module}.{frame.f_code.co_qualname.partition('.')[0]}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(before)


@pytest.fixture(scope="module")
def collected() -> tuple[Coverage, set[str]]:
    """The coverage of the code as it is, and what ran to plan and to check."""
    with watched() as called:
        found = collect(plans(), HANDLERS)
        refused = plans(REFUSED)
        run(bench().report())
    assert all(plan.blockers for plan in refused)
    return found, called


def test_every_requirement_of_the_guide_is_satisfied(collected):
    found, _ = collected
    assert len(found) == len(requirements()) == 601
    assert missing(found) == ()


def test_a_requirement_that_nothing_cites_is_found():
    left = missing(collect((), HANDLERS))
    assert "ADD-J-22" in left
    assert len(left) > 150


def test_every_procedure_is_planned_for_the_coverage():
    assert {rehearsed.procedure for rehearsed in REHEARSED} == set(PROCEDURES)


def test_only_what_nothing_cites_stands_in_the_documents(collected):
    """A reason written by hand must not outlive the code that takes its place."""
    found, _ = collected
    named = {name for name, _ in of_documents()}
    assert {n for n in named if any(not source.why for source in found[n])} == set()


def test_a_page_names_every_requirement_it_satisfies():
    for name, source in of_documents():
        assert (ROOT / source.where).exists(), source.where
        text = (ROOT / source.where).read_text(encoding="utf-8")
        if source.kind == "document":
            assert named_on(name, text), f"{source.where} does not name {name}"
        assert len(source.why.split()) > 4


def named_on(name: str, text: str) -> bool:
    """Whether a page names the requirement, alone or in a range (`NET-08 to NET-13`)."""
    chapter, number = name.rsplit("-", 1)
    ranges = re.findall(rf"{chapter}-(\d\d) to {chapter}-(\d\d)", text)
    return name in text or any(int(a) <= int(number) <= int(b) for a, b in ranges)


def sources(found: Coverage) -> set[Source]:
    return {source for several in found.values() for source in several}


def test_the_test_that_is_named_for_a_source_exists_and_runs_it(collected):
    """A rule counts where planning or checking called it, or its test names it; see below."""
    found, called = collected
    rules = {s for _, s in of_checks()}
    idle = []
    for source in sorted(sources(found)):
        path = ROOT / source.test
        assert path.is_file(), source
        if source in rules and not ran(source, called):
            text = path.read_text(encoding="utf-8")
            words = source.where.split(".")[2:]
            if not re.search(rf"\b({'|'.join(map(re.escape, words))})\b", text):
                idle.append(f"{source.test} does not run {source.where}")
    assert idle == []


def ran(source: Source, called: set[str]) -> bool:
    """Whether the rule was called; of a module's own tables, whether any of its functions was."""
    return source.where in called or any(name.startswith(f"{source.where}.") for name in called)


def test_steps_count_by_the_matrix_whose_clean_runs_carry_them_out():
    """tests/matrix runs each rehearsed procedure to SUCCEEDED: every step of it is over then."""
    assert titles() == [rehearsed.title for rehearsed in REHEARSED]


def test_the_strongest_kind_comes_first(collected):
    found, _ = collected
    for several in found.values():
        kinds = [KINDS.index(source.kind) for source in several]
        assert kinds == sorted(kinds)


def test_the_page_and_the_record_are_up_to_date(collected):
    found, _ = collected
    stale = [
        path.name
        for path, text in guide.coverage_pages(found)
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: make docs"


def test_the_command_prints_each_section_and_fails_on_what_is_left(monkeypatch, collected):
    found, _ = collected
    monkeypatch.setattr(guide, "collected", lambda: found)
    good = CliRunner().invoke(guide.app, ["coverage"])
    assert good.exit_code == 0
    assert "ADD Adding a peer" in good.output
    assert "NEW-01    create-cluster: attest-maintenance-window: Creating a cluster" in good.output
    assert re.search(r"^By a document or a report only \([1-9]\d\)$", good.output, re.MULTILINE)
    assert good.output.rstrip().endswith("601 of 601 requirements satisfied")
    monkeypatch.setattr(guide, "collected", lambda: {**found, "ADD-J-22": ()})
    bad = CliRunner().invoke(guide.app, ["coverage"])
    assert bad.exit_code == 1
    assert "ADD-J-22" in bad.output
