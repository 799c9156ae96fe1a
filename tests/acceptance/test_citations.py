"""A citation counts only if the test named for it runs what cites: each is made to prove it.

What planning and checking call themselves needs no further proof: steps and findings of the
rehearsed plans, carried out by the matrix, and the checks of a whole report. For every other rule
the test module named for it is run by itself, and the rule must be among what it calls.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli import guide
from app.guide.coverage import Coverage, Source, collect, of_checks
from app.guide.rehearsing import plans
from app.guide.scenarios import Rehearsed
from app.procedures.registry import HANDLERS
from tests.support.called import called_by, watched
from tests.unit.checks.fleet_bench import bench
from transports.mock.virtual_time import run

pytestmark = pytest.mark.sockets

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


@pytest.fixture(scope="module")
def collected() -> tuple[Coverage, set[str]]:
    """The coverage of the code as it is, and what ran to plan and to check."""
    with watched() as called:
        found = collect(plans(), HANDLERS)
        refused = plans(REFUSED)
        run(bench().report())
    assert all(plan.blockers for plan in refused)
    return found, called


def test_the_test_that_is_named_for_a_source_exists_and_runs_it(collected, tmp_path):
    """A rule counts where planning or checking called it, or else its test does when it is run."""
    found, called = collected
    assert (
        idle(
            {s for several in found.values() for s in several},
            {s for _, s in of_checks()},
            called,
            tmp_path,
        )
        == []
    )


def test_a_citation_that_its_test_does_not_run_is_found(tmp_path):
    """Planted: a rule that its test never calls, and one whose test is not there."""
    for test in ("tests/unit/checks/test_alarm_catalogue.py", "tests/unit/checks/test_nowhere.py"):
        planted = Source("check", "app.checks.naming.never_called", test)
        assert idle({planted}, {planted}, set(), tmp_path) == [
            f"{test} does not run app.checks.naming.never_called"
        ]


def idle(found: set[Source], rules: set[Source], called: set[str], folder: Path) -> list[str]:
    """What no test runs, though one is named for it."""
    left = []
    for source in sorted(found):
        runs = (ROOT / source.test).is_file()
        if runs and source in rules and not ran(source, called):
            runs = ran(source, set(called_by(source.test, folder)))
        if not runs:
            left.append(f"{source.test} does not run {source.where}")
    return left


def ran(source: Source, called: set[str]) -> bool:
    """Whether the rule was called; of a module's own tables, whether any of its functions was."""
    return source.where in called or any(name.startswith(f"{source.where}.") for name in called)
