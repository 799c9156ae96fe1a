"""The dashboard, the alert rules and the page name metrics that exist, with labels they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics_core import Metric

from app.observability.census import Counted, Figures
from app.observability.metrics import Metrics, PoolUse
from app.observability.telemetry import Telemetry

FOLDER = Path(__file__).parents[3] / "docs" / "telemetry"
PAGE = FOLDER.parent / "telemetry.md"
RULES = FOLDER / "alerts.yaml"
DASHBOARD = FOLDER / "dashboard.json"
NAME = re.compile(r"\b((?:clusterway|process)_[a-z_]+)(\{[^}]*\})?")
ADDED = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


class _Fixed:
    async def count(self) -> Figures:
        return Figures(findings={("blocker", "two-primaries"): 1})


async def families() -> list[Metric]:
    """Everything a process can show: its own instruments and the census."""
    counted = Counted(_Fixed(), ["add-peer"])
    told = Telemetry(Metrics(["add-peer"], {"journal": lambda: PoolUse(1, 2, 0)}), counted)
    await counted.refresh()
    return list(told.metrics.registry.collect())


async def known() -> set[str]:
    return {
        family.name + added for family in await families() for added in ADDED.get(family.type, ())
    }


def rules() -> list[dict[str, str]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def asked() -> Iterator[tuple[str, str]]:
    """Where, and the expression."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


async def test_every_metric_that_is_named_exists() -> None:
    there = await known()
    named = [(where, name) for where, text in asked() for name, _ in NAME.findall(text)]
    assert len(named) > 40
    assert [pair for pair in named if pair[1] not in there] == []


async def test_every_label_that_is_asked_for_is_one_of_its_metric() -> None:
    labels: dict[str, set[str]] = {}
    for family in await families():
        # Where nothing was counted yet, the library shows no series; its own list knows better.
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    for where, text in asked():
        for name, selector in NAME.findall(text):
            wanted = set(re.findall(r"(\w+)\s*[=!]~?", selector or ""))
            if labels.get(name):
                assert wanted <= labels[name], (where, name)


async def test_the_page_lists_every_metric_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `((?:clusterway)_[a-z_]+)", page, re.MULTILINE))
    there = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in await families()
        if family.name.startswith("clusterway_")
    }
    assert listed == there


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule  # type: ignore[index]
        assert set(rule["annotations"]) == {"summary", "action"}, rule  # type: ignore[call-overload]
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_the_finding_an_alert_waits_for_is_one_that_diagnosis_makes() -> None:
    made = "".join(
        path.read_text(encoding="utf-8")
        for path in (Path(__file__).parents[3] / "app" / "checks" / "diagnosis").glob("*.py")
    )
    codes = {code for _, text in asked() for code in re.findall(r'code="([a-z-]+)"', text)}
    assert codes == {"two-primaries"}
    assert all(f'"{code}"' in made for code in codes)


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here (Debian: apt-get install prometheus)")
    done = subprocess.run(
        [promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
