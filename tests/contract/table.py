"""The contract's table: scenarios down, transports across, written from what the tests did.

A pytest plugin that only `make contract` loads (`-p tests.contract.table`). It prints the table,
and writes it to docs/contract.md, or with `--contract-check` fails where the page says otherwise.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.contract import test_http, test_mock, test_ssh
from transports.contract import TransportContract
from transports.contract_faults import FaultContract

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"
PASSED, SKIPPED, FAILED = "yes", "-", "NO"
COLUMNS: dict[str, type[TransportContract]] = {
    "mock": test_mock.TestMock,
    "http": test_http.TestHttp,
    "http, form-encoded": test_http.TestHttpFormEncoded,
    "ssh": test_ssh.TestSsh,
    "ssh, prompt and no echo": test_ssh.TestSshWithPromptAndWithoutEcho,
    "ssh, other words": test_ssh.TestSshWithOtherWords,
    "ssh, with root": test_ssh.TestSshWithRoot,
    "ssh, through root's tsh": test_ssh.TestSshThroughTheRootShell,
}
_HEAD = """\
# The transport contract

<!-- written by `make contract`; do not edit -->

Every way to an appliance passes one suite, `transports.contract`: the same documents, the same
errors, the same manners when something goes wrong. The fleet plays each fault below on the real
sockets (SSH, HTTPS) and in process. `yes`: the scenario passed; `-`: it does not apply, because the
transport lacks the capability and says so beforehand, or has no identity to compare.

The columns are the shapes in which a transport is used: the two ways to post a document, terminals
whose prompt, echo and error words differ (none is on record for this product, so all must do), and
the grants of a root shell. [add-a-transport.md](add-a-transport.md) runs the suite on a transport
of your own.

"""
_TAIL = """
Recorded and documented replies of real appliances are read by the transports' own tests
(`tests/unit/ssh`, `tests/unit/http`), which also fuzz their parsers; other people's clients talk to
the fleet in `tests/foreign`.
"""


def scenarios(tested: type[TransportContract]) -> list[str]:
    """The test methods of a contract class, in the order of the suite."""
    order = [*TransportContract.__dict__, *FaultContract.__dict__]
    names = [name for name, it in inspect.getmembers(tested, inspect.isfunction) if _is_test(name)]
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def page(outcomes: Mapping[tuple[str, str], str]) -> str:
    """The page, from what became of (class name, test name)."""
    rows = list(dict.fromkeys(name for column in COLUMNS.values() for name in scenarios(column)))
    shared = [name for name in rows if hasattr(TransportContract, name)]
    own = [name for name in rows if name not in shared]
    lines = [_row(["scenario", *COLUMNS]), _row(["---", *[":-:"] * len(COLUMNS)])]
    for name in (*shared, *own):
        cells = [outcomes.get((tested.__name__, name), SKIPPED) for tested in COLUMNS.values()]
        lines.append(_row([_sentence(name), *cells]))
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def table(text: str) -> list[list[str]]:
    """The table's rows in a page, head and rule left out."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def _is_test(name: str) -> bool:
    return name.startswith("test_")


def _sentence(name: str) -> str:
    words = name.removeprefix("test_").replace("_", " ")
    return words[0].upper() + words[1:].replace("appliances own", "appliance's own")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contract-check", action="store_true", help="fail where the page is stale")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(check=config.getoption("--contract-check")))


class Recorder:
    """Remembers what became of each test; a scenario with parameters is as good as its worst."""

    def __init__(self, *, check: bool) -> None:
        self._check = check
        self._outcomes: dict[tuple[str, str], str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = re.search(r"::(\w+)::(\w+)", report.nodeid)
        if found is None or (report.when != "call" and report.passed):
            return
        key = (found[1], found[2])
        word = PASSED if report.passed else SKIPPED if report.skipped else FAILED
        if self._outcomes.get(key) != FAILED:
            self._outcomes[key] = word

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        text = page(self._outcomes)
        if not self._check and FAILED not in self._outcomes.values():
            PAGE.write_text(text, encoding="utf-8")
        if self._stale():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for row in [line for line in page(self._outcomes).splitlines() if line.startswith("| ")]:
            terminalreporter.write_line(row)
        if self._stale():
            terminalreporter.write_line("docs/contract.md is stale: run `make contract`")

    def _stale(self) -> bool:
        return self._check and PAGE.read_text(encoding="utf-8") != page(self._outcomes)
