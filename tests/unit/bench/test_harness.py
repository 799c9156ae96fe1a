"""The benchmarks' own machinery: what fails is named, what is late is ended, figures are true."""

from __future__ import annotations

import json
import os
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench import page
from bench.__main__ import NAMES, RESULTS, ROOT, Ran, merged, run, run_all
from bench.rows import Row, figure, show
from bench.work import digest

ROW = Row("60 peers", "elapsed", "s", ours=3.0, beside="asyncssh", theirs=2.0)
GOOD = f"import sys; open(sys.argv[2], 'w').write({json.dumps([ROW.document()])!r})"


def command(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_the_ratio_is_ours_by_theirs_and_nothing_where_there_is_no_peer():
    assert ROW.ratio == 1.5
    assert Row("", "", "s", 3.0, "ansible", None, note="not installed here").ratio is None
    assert Row.of(ROW.document()) == ROW


def test_a_failing_benchmark_is_told_and_the_others_still_run():
    ran = run_all(
        {"bad": command("raise SystemExit(3)"), "good": command(GOOD)}, 30, lambda _: None
    )
    assert ran["bad"].wrong == "ended with 3"
    good = ran["good"]
    assert good.rows == (ROW,)
    assert not good.wrong
    kept = merged({}, {}, {"dns": good})["benchmarks"]["dns"]
    assert (kept["date"], kept["load"]) == (good.date, good.load)


def test_one_that_is_late_is_ended_with_all_it_started(tmp_path: Path):
    started = tmp_path / "started"
    child = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    late = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    ran = run(command(late), 5)
    assert ran.wrong == "was not done within 5 s"
    pid = int(started.read_text())
    for _ in range(100):
        if not running(pid):
            break
        time.sleep(0.05)
    assert not running(pid)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().split()[2] != "Z"


def test_results_of_another_machine_are_not_mixed_in():
    before = {"machine": {"cores": 2}, "benchmarks": {"dns": {"rows": []}, "gone": {"rows": []}}}
    assert list(merged(before, {"cores": 2}, {})["benchmarks"]) == ["dns"]
    assert merged(before, {"cores": 64}, {})["benchmarks"] == {}


def test_what_went_wrong_leaves_no_figures():
    results = merged({}, {}, {"dns": Ran(1.0, (ROW,), wrong="ended with 1")})
    assert results["benchmarks"] == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.00123, "0.0012"), (1.5, "1.50"), (72.61, "72.6"), (12345.6, "12,346")],
)
def test_a_figure_shows_the_digits_that_mean_something(value: float, text: str):
    assert figure(value) == text


def test_the_table_names_benchmark_peer_and_ratio():
    said = StringIO()
    show({"ssh-fleet": [ROW]}, Console(file=said, width=160))
    line = next(line for line in said.getvalue().splitlines() if "ssh-fleet" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        *("ssh-fleet", "60 peers", "elapsed", "3.00 s", "asyncssh", "2.00 s", "1.50", "less")
    ]


def test_a_digest_tells_other_work_apart_and_not_its_order():
    assert digest(["a", "b"]) == digest(["b", "a"]) != digest(["a", "b", "b"])


def test_every_benchmark_is_there_and_the_page_says_what_it_means():
    text = page.PAGE.read_text()
    for name in NAMES:
        assert (ROOT / "bench" / f"{name.replace('-', '_')}.py").exists()
        assert f"**{name}**. " in text


def test_the_page_shows_the_figures_of_the_last_run():
    text = page.PAGE.read_text()
    assert page.with_figures(text, json.loads(RESULTS.read_text())) == text
