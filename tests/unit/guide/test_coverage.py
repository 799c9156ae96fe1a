"""601 of 601: every requirement is satisfied by something, and a named test runs that something."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import guide
from app.guide import requirements
from app.guide.coverage import (
    KINDS,
    Coverage,
    Source,
    by_word,
    collect,
    gate_reasons,
    missing,
    of_documents,
)
from app.guide.rehearsing import plans
from app.guide.scenarios import REHEARSED
from app.procedures.registry import HANDLERS, PROCEDURES
from tests.matrix.test_matrix import titles

ROOT = Path(guide.ROOT)


@pytest.fixture(scope="module")
def collected() -> Coverage:
    """The coverage of the code as it is."""
    return collect(plans(), HANDLERS)


def test_every_requirement_of_the_guide_is_satisfied(collected):
    found = collected
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
    found = collected
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


def test_the_test_that_is_named_for_a_source_exists(collected):
    """Whether it runs what it is named for: tests/acceptance/test_citations.py."""
    found = collected
    assert {source.test for source in sources(found) if not (ROOT / source.test).is_file()} == set()


def test_steps_count_by_the_matrix_whose_clean_runs_carry_them_out():
    """tests/matrix runs each rehearsed procedure to SUCCEEDED: every step of it is over then."""
    assert titles() == [rehearsed.title for rehearsed in REHEARSED]


def test_the_strongest_kind_comes_first(collected):
    found = collected
    for several in found.values():
        kinds = [KINDS.index(source.kind) for source in several]
        assert kinds == sorted(kinds)


def test_the_page_and_the_record_are_up_to_date(collected):
    found = collected
    stale = [
        path.name
        for path, text in guide.coverage_pages(found)
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run: make docs"


def test_the_command_prints_each_section_and_fails_on_what_is_left(monkeypatch, collected):
    found = collected
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


def test_what_only_an_operators_word_satisfies_says_why_and_nothing_else_does(collected):
    assert set(gate_reasons()) == set(by_word(collected))
    assert all(len(why) > 60 for why in gate_reasons().values())
