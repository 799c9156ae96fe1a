"""docs/rehearse.md says what a scenario may hold: all of it, and nothing else."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from transports.mock import FaultKind, scenario

PAGE = (Path(__file__).parents[3] / "docs" / "rehearse.md").read_text(encoding="utf-8")
MARKED = set(re.findall(r"`\"?([a-z][a-z0-9_-]+)\"?`", PAGE))
(EXAMPLE,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)


def test_every_word_of_a_scenario_is_on_the_page():
    words = scenario._TOP | scenario._DEVICE | scenario._CLUSTER
    words |= {"kind", "peer", "matching", "occurrence", "times", "value"}
    assert words - MARKED == set()


def test_every_fault_is_on_the_page():
    table = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.M)
    assert {kind.value for kind in FaultKind} - set(table) == set()


def test_the_example_is_a_scenario_and_its_random_faults_are_repeatable():
    plans = [scenario.load(EXAMPLE).faults.plan for _ in range(2)]
    assert plans[0] == plans[1]
    assert len(plans[0]) == 2 + 3
    other = EXAMPLE.replace('"seed": 7', '"seed": 8')
    assert scenario.load(other).faults.plan != plans[0]
    with pytest.raises(ValueError, match="random_faults"):
        scenario.load('{"random_faults": {"seeds": 7}}')


def simulate(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "app.cli", "simulate", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.sockets
def test_the_command_plays_the_example_until_it_is_ended(tmp_path: Path):
    text, told = tmp_path / "scenario.json", tmp_path / "fleet.json"
    text.write_text(EXAMPLE, encoding="utf-8")
    process = simulate("--speed", "100", "--scenario", str(text), "--write", str(told))
    try:
        give_up = time.monotonic() + 60
        while not told.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.05)
        described = json.loads(told.read_text(encoding="utf-8"))["expressways"]
        assert [entry["name"] for entry in described] == ["exp1", "exp2", "exp3"]
    finally:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "exp3  LAN 1 192.0.2.13" in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Expecting property name"),
        ("[]", "a scenario is a JSON object"),
        ('{"expresways": []}', "unknown expresways"),
        ('{"expressways": [{"name": "exp1"}]}', "address"),
        ('{"profile": {"rebot": 1}}', "rebot"),
    ],
)
def test_a_scenario_that_is_not_understood_is_told_without_a_traceback(
    tmp_path: Path, text: str, words: str
):
    from typer.testing import CliRunner

    from app.cli.main import app

    path = tmp_path / "scenario.json"
    path.write_text(text, encoding="utf-8")
    ended = CliRunner().invoke(app, ["simulate", "--scenario", str(path)])
    assert ended.exit_code == 2
    assert "scenario not understood" in ended.stderr
    assert words in ended.stderr
