"""Shell in the pages runs as it is printed: docs/curl.md, the README's and docs/evidence.md's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.conftest import CLUSTER, OpenStand, Stand

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.sockets,
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in ("curl", "jq", "sh")), reason="needs curl, jq and sh"
    ),
]
ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"<!-- tested: (\S+) -->\n```sh\n(.*?)```", re.S)
LIMIT_SECONDS = 240


def blocks(page: str, name: str = "story") -> list[str]:
    """The marked blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block for marked, block in _BLOCK.findall(text) if marked == name]


async def run(stand: Stand, folder: Path, script: Sequence[str], **more: str) -> str:
    """The blocks, in one `sh` that ends at the first command that fails; what it printed."""
    (folder / "fleet.json").write_text(json.dumps({"expressways": stand.house.reachable}))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", "\n".join(script), cwd=folder,
        env={**os.environ, "PATH": path, "CLUSTERWAY_URL": stand.url,
             "CLUSTERWAY_API_KEY": stand.key, **more},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, (out.decode(), err.decode())
    return out.decode()


async def test_the_page_for_curl_goes_from_a_password_to_proven_evidence(
    open_stand: OpenStand, tmp_path: Path
):
    script = blocks("docs/curl.md")
    assert len(script) == 8
    async with open_stand() as stand:
        said = await run(stand, tmp_path, script)
        await stand.house.story.assert_cluster(
            (await stand.ann.does("clusters", "show", CLUSTER))["id"], CLUSTER, ["192.0.2.11"]
        )
        assert stand.house.witness.violations == []
    assert said.count("SHA256:") >= 1
    assert "approved" in said
    assert "succeeded" in said
    assert "PROVEN: this is what was signed" in said
    assert said.splitlines()[-1].startswith("404 not-found: ")


async def test_the_readme_builds_a_cluster_and_a_job_number_is_all_evidence_needs(
    open_stand: OpenStand, tmp_path: Path
):
    (readme,) = blocks("README.md")
    (evidence,) = blocks("docs/evidence.md", "evidence")
    async with open_stand() as stand:
        said = await run(stand, tmp_path, [readme])
        assert "succeeded" in said
        jobs = await stand.ann.does("jobs", "list")
        assert [one["procedure"] for one in jobs["items"]] == ["create-cluster"]
        proven = await run(stand, tmp_path, [evidence], JOB=jobs["items"][0]["id"])
        assert "PROVEN: this is what was signed" in proven
        looks = [*blocks("docs/dns.md", "cluster"), *blocks("docs/ports.md", "cluster")]
        assert len(looks) == 3
        cluster = (await stand.ann.does("clusters", "show", CLUSTER))["id"]
        for look in looks:
            answer = json.loads(await run(stand, tmp_path, [look], CLUSTER=cluster))
            assert "code" not in answer, answer
        assert stand.house.witness.violations == []


def test_every_shell_block_that_asks_the_api_is_run_by_some_test():
    """A block that nobody runs goes stale; these pages have a test of their own."""
    elsewhere = {
        "docs/access.md": "tests/api/test_access_page.py",
        "docs/approvals.md": "tests/api/test_approvals_page.py",
        "docs/import.md": "tests/api/test_import_page.py",
        "docs/windows.md": "tests/api/test_windows_page.py",
        "docs/bulk.md": "tests/api/test_bulk_page.py",
    }
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        name = str(page.relative_to(ROOT))
        if name in elsewhere:
            assert (ROOT / elsewhere[name]).exists()
            continue
        text = page.read_text(encoding="utf-8")
        for line in _BLOCK.sub("", text).splitlines():
            assert not line.lstrip().startswith("curl -"), f"{name}: nobody runs this: {line}"
