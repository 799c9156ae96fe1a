"""docs/add-a-transport.md, followed word for word: package, contract, peer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import OpenHouse
from transports.mock.scenario import REHEARSAL_PASSWORD

PAGE = Path(__file__).parents[2] / "docs" / "add-a-transport.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def run(folder: Path, *words: str, path: Path | None = None) -> str:
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's package, built and installed into a folder of its own."""
    source, target = tmp_path_factory.mktemp("paced"), tmp_path_factory.mktemp("installed")
    (project,) = blocks("toml")
    module, suite = blocks("python")
    for name, text in (
        ("pyproject.toml", project),
        ("paced_transport.py", module),
        ("test_paced.py", suite),
    ):
        (source / name).write_text(text, encoding="utf-8")
    words = ("--quiet", "--no-build-isolation", "--no-deps", "--target", str(target), ".")
    run(source, "pip", "install", *words)
    (target / "test_paced.py").write_text(suite, encoding="utf-8")
    (target / "pyproject.toml").write_text(project, encoding="utf-8")
    return target


def test_the_pages_transport_passes_the_contract(installed: Path):
    said = run(installed, "pytest", "-q", "-p", "no:cacheprovider", "test_paced.py", path=installed)
    assert re.search(r"\b[3-9]\d passed", said), said
    assert "failed" not in said


@pytest.mark.postgres
async def test_a_peer_is_registered_and_observed_with_the_pages_transport(
    installed: Path, open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
):
    (text,) = blocks("json")
    monkeypatch.syspath_prepend(str(installed))
    async with open_house({}) as house:
        story = house.story
        credential = await story.credential(REHEARSAL_PASSWORD)
        body = json.loads(text.replace("credential-...", credential))
        peer = await story.post("/v1/peers", body)
        shown = await story.get(f"/v1/peers/{peer['id']}/capabilities")
        assert shown["endpoints"][0]["transport"] == "paced"
        assert "backup" in shown["capabilities"]
        seen = await story.post(f"/v1/peers/{peer['id']}/observations")
        assert seen["system_name"] == "exp1"
        body["endpoints"][0]["options"]["pause"] = "for ever"
        refused = await story.ask("/v1/peers", {**body, "name": "exp2", "address": "192.0.2.12"})
        assert refused.status_code == 422
        assert "pause must be" in refused.text
    monkeypatch.undo()
    sys.modules.pop("paced_transport", None)
