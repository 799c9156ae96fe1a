"""docs/attacks.md names tests that exist, and a test for every attack."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/attacks.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
][2:]


@cache
def names_in(file: str) -> frozenset[str]:
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(
        node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_")
    )


def missing(named: str) -> bool:
    """Whether `file` or `file::test` is not there."""
    file, _, test = named.partition("::")
    found = names_in(file)
    return not found or (bool(test) and test not in found)


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:40] for row in ROWS])
def test_each_attack_is_tried_by_tests_that_exist(row: list[str]) -> None:
    attack, happens, tried = row
    named = re.findall(r"`(tests/[^`]+)`", tried)
    assert attack
    assert happens
    assert named, attack
    assert [test for test in named if missing(test)] == []


def test_a_test_that_is_gone_is_missed() -> None:
    assert len(ROWS) > 25
    assert missing("tests/unit/docs/test_attacks_page.py::test_that_never_was")
    assert missing("tests/unit/docs/test_nothing.py")
