"""Authoritative name servers of others (NSD, Knot DNS) on a free port of loopback.

They are installed where tools/foreign-programs could; `PLACES` says which are.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from app.dns.lookup import NameServers
from app.domain.dns import Answer, Lookup, Question
from tests.support.ports import free_port

SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
PLACES = {name: shutil.which(name, path=SBIN) for name in ("nsd", "knotd")}
LIMIT = 20.0
SERVER = "192.0.2.53"
"""As the peers know the server."""

Files = Mapping[str, Path]
"""Zone -> its master file."""


def nsd(folder: Path, port: int, files: Files) -> list[str]:
    """NSD, which would else leave out answers of one kind above 200 a second (its rate limit)."""
    zones = "".join(f"zone:\n  name: {z}\n  zonefile: {path}\n" for z, path in files.items())
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: 127.0.0.1@{port}\n  ip-address: ::1@{port}\n  username: ""\n'
        f'  pidfile: ""\n  database: ""\n  chroot: ""\n  zonesdir: "{folder}"\n'
        f'  zonelistfile: "{folder}/zones.list"\n  xfrdfile: "{folder}/xfrd.state"\n'
        f'  xfrdir: "{folder}"\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n{zones}'
    )
    return [str(PLACES["nsd"]), "-d", "-c", str(folder / "nsd.conf")]


def knotd(folder: Path, port: int, files: Files) -> list[str]:
    zones = "".join(f"  - domain: {z}\n    file: {path}\n" for z, path in files.items())
    (folder / "knot.conf").write_text(
        f'server:\n  rundir: {folder}\n  listen: [127.0.0.1@{port}, "::1@{port}"]\n'
        f"database:\n  storage: {folder}\nzone:\n{zones}"
    )
    return [str(PLACES["knotd"]), "-c", str(folder / "knot.conf")]


@contextmanager
def authoritative(
    build: Callable[[Path, int, Files], Sequence[str]], folder: Path, files: Files
) -> Iterator[int]:
    """The port of a running server on 127.0.0.1 and ::1, which answers for the first zone."""
    port = free_port()
    command = build(folder, port, files)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait_for(next(iter(files)), port, server, folder / "log")
        yield port
    finally:
        server.terminate()
        server.wait(LIMIT)


def _wait_for(zone: str, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + LIMIT
    while look_up(port, zone, "SOA", timeout=0.2).answer is Answer.NO_ANSWER:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def look_up(
    port: int, name: str, kind: str, *, host: str = "127.0.0.1", timeout: float = 5.0
) -> Lookup:
    """What the server says to one question, by our own look-ups."""
    servers = NameServers(instead={SERVER: f"{host}:{port}"}, timeout=timeout, tries=2)
    (found,) = asyncio.run(servers.ask({SERVER: [Question.of(name, kind)]}))
    return found
