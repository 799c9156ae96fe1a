"""`make fuzz`: schemathesis over a live service, all phases, stateful too, with several seeds.

Nothing unexpected may come back: no 5xx but the documented 503, no status, header, kind or body
that openapi.json does not describe, no malformed request that is accepted, no route that answers
without a key. The service may reach nothing but a simulated fleet on loopback: peers elsewhere are
refused by its own address guard, and no name server is asked. Limits on requests and on wrong keys
are lifted: a fuzzer is the flood they hold back (tests/api shows that). The last line counts what
was sent.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.clients.toolchain import HERE, OPENAPI, Ran, command, run
from tests.support.service import Lab

HELD_BACK = {
    "CLUSTERWAY_PEER_NETWORKS": '["127.0.0.0/8"]',
    "CLUSTERWAY_DNS_LOOKUPS": "false",
    "CLUSTERWAY_OBSERVATION_LIMIT": "2",
    "CLUSTERWAY_RATE_LIMIT": "0",
    "CLUSTERWAY_WRONG_KEY_LIMIT": "100000",
}


class Hermit(Lab):
    """A service that talks to loopback only."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **HELD_BACK}


def fuzz(
    lab: Lab, folder: Path, seed: int, *, examples: int, phases: str, seconds: int
) -> tuple[Ran, dict[str, Any]]:
    """One seed: how it went, and schemathesis' own report."""
    report = folder / f"seed-{seed}.json"
    ran = run(
        [
            command("schemathesis"), "--config-file", HERE / "schemathesis.toml",
            "run", OPENAPI / "openapi.json", "--url", lab.url,
            "--header", f"Authorization: Bearer {lab.key}",
            "--phases", phases, "--checks", "all", "--max-examples", str(examples),
            "--seed", str(seed), "--workers", "2", "--continue-on-failure",
            "--report", "json", "--report-json-path", report,
        ],
        cwd=folder,
        seconds=float(seconds),
    )  # fmt: skip
    found = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return ran, found


def main() -> int:
    """Run all seeds; 1 where one of them found something."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--examples", type=int, default=20, help="requests of a kind, at most")
    parser.add_argument("--phases", default="examples,coverage,fuzzing,stateful")
    parser.add_argument("--seconds", type=int, default=1800, help="how long a seed may take")
    asked = parser.parse_args()
    failed = 0
    totals: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="cw-fuzz-") as name:
        folder = Path(name)
        lab = Hermit(folder)
        try:
            lab.start_fleet()
            lab.start_api(worker=True)
            for seed in asked.seeds:
                ran, report = fuzz(
                    lab,
                    folder,
                    seed,
                    examples=asked.examples,
                    phases=asked.phases,
                    seconds=asked.seconds,
                )
                failed += not ran.good
                cases = report.get("test_cases", {})
                totals.update({"sent": cases.get("generated", 0)})
                totals.update({"unexpected": cases.get("unique_failures", 0)})
                phases = ", ".join(
                    f"{phase} {told['status']}" for phase, told in report.get("phases", {}).items()
                )
                print(f"seed {seed}: {cases.get('generated', 0)} requests; {phases}")
                if not ran.good:
                    print(ran.said)
            survived = lab.api.running and "Traceback" not in lab.api.said
            if not survived:
                print(lab.api.said[-5000:])
        finally:
            lab.close()
    print(
        f"{len(asked.seeds)} seeds, {totals['sent']} requests, {totals['unexpected']} unexpected;"
        f" the service {'lives' if survived else 'FAILED'}"
    )
    return 0 if failed == 0 and survived else 1


if __name__ == "__main__":
    sys.exit(main())
