"""The suite itself leaves nothing out."""

from __future__ import annotations

import pytest

from tests.contract import table
from transports.base import Capability, Operation
from transports.contract_operations import one_of_each


def test_every_operation_has_its_example():
    assert {type(operation) for operation in one_of_each()} == set(Operation.__subclasses__())


def test_every_capability_but_plain_administration_has_an_operation():
    covered = {operation.capability for operation in one_of_each()}
    assert covered == set(Capability) - {Capability.ADMINISTRATION}


def test_the_page_of_the_contract_has_every_scenario_and_none_that_failed(
    pytestconfig: pytest.Config,
):
    """What each cell says is `make contract`'s matter; a new or renamed scenario shows here."""
    if pytestconfig.getoption("--contract-check", default=None) is False:
        pytest.skip("the page is being written")
    kept = table.table(table.PAGE.read_text(encoding="utf-8"))
    new = table.table(table.page({}))
    assert [row[0] for row in kept] == [row[0] for row in new], "run `make contract`"
    assert {len(row) for row in kept} == {1 + len(table.COLUMNS)}
    assert {cell for row in kept for cell in row[1:]} == {table.PASSED, table.SKIPPED}
    assert all(table.PASSED in row for row in kept)


def test_a_scenario_is_only_as_good_as_its_worst_case():
    class Report:
        when, skipped, passed = "call", False, True

        def __init__(self, outcome: str, case: str) -> None:
            self.passed = outcome == "passed"
            self.nodeid = f"tests/contract/test_ssh.py::TestSsh::test_a_thing[{case}]"

    recorder = table.Recorder(check=True)
    for outcome, case in (("passed", "1"), ("failed", "2"), ("passed", "3")):
        recorder.pytest_runtest_logreport(Report(outcome, case))
    assert recorder._outcomes == {("TestSsh", "test_a_thing"): table.FAILED}
