"""A simulated fleet as a process of its own, behind real sockets: what the sides of a bench ask.

`with fleet(60, "ssh") as of: of.peers` gives where each appliance is reached and what it is pinned
by; `of.cpu()` says how many CPU seconds the fleet itself has used, so that a figure bounded by the
fleet can be told from one bounded by the caller. The appliances think for no time at all.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.command import many_files
from bench.sides import ROOT
from transports.mock import Fleet
from transports.mock.https_server import serve_https
from transports.mock.scenario import REHEARSAL_PASSWORD, ROOT_PASSWORD
from transports.mock.ssh_server import serve_ssh

AT_ONCE = {"reply": 0.0}
"""What a device takes to answer is not what is measured."""


@dataclass(frozen=True)
class Served:
    """A fleet that answers. Each peer: `host`, `port`, `serial`, and `pin` as its kind has it."""

    peers: tuple[Mapping[str, Any], ...]
    process: subprocess.Popen[str]

    def cpu(self) -> float:
        """CPU seconds the fleet has used since it was up."""
        return float(self._ask("cpu"))

    def _ask(self, what: str) -> str:
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError("no pipes")
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextmanager
def fleet(count: int, kind: str, zones: int = 0) -> Iterator[Served]:
    """So many appliances behind `ssh` or `https`, each with so many zones configured."""
    asked = json.dumps({"count": count, "kind": kind, "zones": zones})
    process = subprocess.Popen(  # noqa: S603 - this module
        [sys.executable, "-m", "bench.fleet", asked],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None:
            raise RuntimeError("no pipe")
        peers = process.stdout.readline()
        if not peers:
            raise RuntimeError("the fleet did not start")
        yield Served(tuple(json.loads(peers)), process)
    finally:
        process.communicate()  # closes its input, at which it ends


def account(root: bool = False) -> dict[str, str]:
    """Whom every side logs in as."""
    if root:
        return {"username": "root", "password": ROOT_PASSWORD}
    return {"username": "admin", "password": REHEARSAL_PASSWORD}


async def serve(count: int, kind: str, zones: int) -> None:
    """Be the fleet until standard input ends."""
    devices = [
        {"name": f"exp{n}", "address": f"10.0.{n // 250}.{n % 250 + 1}", "root": True,
         "zones": [{"name": f"Zone {z}", "peers": [f"10.9.{z}.{p}" for p in range(1, 7)]}
                   for z in range(zones)]}
        for n in range(count)
    ]  # fmt: skip
    peers = []
    for device in Fleet.from_scenario({"profile": AT_ONCE, "expressways": devices}):
        where = {"serial": device.serial, "name": device.name, "host": "127.0.0.1"}
        if kind == "ssh":
            ssh = await serve_ssh(device)
            peers.append({**where, "port": ssh.port, "pin": ssh.host_key})
        else:
            https = await serve_https(device)
            peers.append({**where, "port": https.port, "pin": https.certificate_pem})
    print(json.dumps(peers), flush=True)
    began = time.process_time()
    while await asyncio.to_thread(sys.stdin.readline):
        print(time.process_time() - began, flush=True)


if __name__ == "__main__":
    many_files()
    asyncio.run(serve(**json.loads(sys.argv[1])))
