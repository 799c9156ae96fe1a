"""Runs the kit's scripts, the files themselves, under Node.js."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients import toolchain

KIT = toolchain.ROOT / "docs" / "servicenow"
HOST = Path(__file__).with_name("script_host.js")


def node() -> str | None:
    """The Node.js of `make clients`, else the machine's, else None."""
    return str(toolchain.node()) if toolchain.installed() else shutil.which("node")


@dataclass(frozen=True)
class Run:
    """What a script did."""

    status: int | None
    body: Any
    outputs: dict[str, Any]
    messages: list[dict[str, str]]
    logs: list[str]
    tables: dict[str, list[dict[str, str]]]


async def run(script: str, **given: Any) -> Run:
    """Run one of the kit's scripts once, over the tables and properties that are given."""
    found = node()
    assert found is not None
    process = await asyncio.create_subprocess_exec(
        found, str(HOST),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    document = json.dumps({"script": str(KIT / script), **given})
    out, said = await asyncio.wait_for(process.communicate(document.encode()), 60)
    assert process.returncode == 0, said.decode()
    told: Mapping[str, Any] = json.loads(out)
    return Run(
        told["status"], told["body"], told["outputs"], told["messages"], told["logs"],
        told["tables"],
    )  # fmt: skip
