"""`make clients`: generate each client, compile it, and let it run the story on a live service.

Prints one line for each generator; exit code 1 where a cell says no. PowerShell is generated and
parsed and not run, because no package registry ships a PowerShell.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.clients.generators import GENERATORS, Generator
from tests.clients.live import Live, live
from tests.clients.toolchain import ROOT, run

OUR_COMMAND = ROOT / ".venv" / "bin" / "clusterway"


def main() -> int:
    console = Console(width=None if sys.stdout.isatty() else 110)
    table = Table("generator", "language", "generates", "compiles", "runs the story")
    failed: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="cw-clients-") as folder,
        live(Path(folder), len(GENERATORS)) as service,
    ):
        for number, generator in enumerate(GENERATORS):
            work = Path(folder) / f"generator-{number}"
            work.mkdir()
            cells = _cells(generator, number, work, service, failed)
            table.add_row(generator.name, generator.language, *cells)
    console.print(table)
    for said in failed:
        console.print(said, markup=False, highlight=False)
    return 1 if failed else 0


def _cells(
    generator: Generator, number: int, work: Path, service: Live, failed: list[str]
) -> list[str]:
    who = f"{generator.name}, {generator.language}"
    made = generator.generate(work)
    if not made.good:
        failed.append(f"{who} does not generate:\n{made.said[-3000:]}")
        return ["no", "-", "-"]
    if generator.missing():
        return ["yes", generator.missing(), "-"]
    compiled = generator.compile(work)
    if not compiled.good:
        failed.append(f"{who} does not compile:\n{compiled.said[:3000]}")
        return ["yes", "no", "-"]
    if generator.story is None:
        return ["yes", compiled.last_line, generator.instead]
    ran = generator.story(work, service.needs(number, work))
    if not ran.good:
        failed.append(f"{who} does not run the story:\n{ran.said[-3000:]}")
        return ["yes", "yes", "no"]
    # What went through the client's own reading and writing of JSON is still what was signed.
    kept = work / "evidence.json"
    proven = run([OUR_COMMAND, "evidence", "verify", kept, "--key", service.evidence_keys])
    if not proven.good:
        failed.append(f"{who}: the evidence it kept is not proven:\n{proven.said[-3000:]}")
        return ["yes", "yes", "evidence not proven"]
    return ["yes", "yes", f"{ran.last_line}; evidence proven"]


if __name__ == "__main__":
    sys.exit(main())
