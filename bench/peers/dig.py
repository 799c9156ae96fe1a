"""dig, once for each question or (`batch`) once for all of them with `-f`."""

from __future__ import annotations

import subprocess

from bench.work import Measured, digest, given, record, tell

OPTIONS = ["+noall", "+answer", "+comments", "+tries=2", "+time=2"]


def main() -> None:
    """Ask and read what dig prints."""
    work = given()
    host, _, port = work["place"].rpartition(":")
    server = [f"@{host}", "-p", port]
    lines: list[str] = []
    statuses: list[str] = []
    with Measured() as cost:
        if work["batch"]:
            asked = (f"{name} {kind} {' '.join(OPTIONS)}\n" for name, kind in work["questions"])
            said = run(["dig", *server, "-f", "/dev/stdin"], "".join(asked))
        else:
            said = "".join(
                run(["dig", *server, name, kind, *OPTIONS], "") for name, kind in work["questions"]
            )
        for line in said.splitlines():
            if line.startswith(";;") and "status:" in line:
                statuses.append(line.split("status: ")[1].split(",")[0])
            elif line.strip() and not line.startswith(";"):
                name, _, _, kind, data = line.split(None, 4)
                lines.append(record(name, kind, data))
    unsettled = sum(status not in {"NOERROR", "NXDOMAIN"} for status in statuses)
    tell(cost, asked=len(statuses), unsettled=unsettled, records=digest(lines))


def run(command: list[str], given: str) -> str:
    """What it prints; it must not complain."""
    done = subprocess.run(  # noqa: S603 - dig, with the benchmark's names
        command, input=given, capture_output=True, text=True, check=True
    )
    return done.stdout


main()
