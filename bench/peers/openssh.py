"""OpenSSH with ControlMaster: one connection a peer, and one terminal over it for each command.

`admin` has no command channel, so a command is typed into a terminal that ends with `exit`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.work import Measured, Replies, given, tell

LIMIT = 60


def main() -> None:
    """Ask every peer everything."""
    work = given()
    replies = Replies()
    with tempfile.TemporaryDirectory(prefix="cw-") as folder:
        asked = Path(folder) / "askpass"
        asked.write_text(f"#!/bin/sh\necho '{work['account']['password']}'\n")
        asked.chmod(0o700)
        known = Path(folder) / "known_hosts"
        known.write_text("".join(f"[{p['host']}]:{p['port']} {p['pin']}\n" for p in work["peers"]))
        ways = {"SSH_ASKPASS": str(asked), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "none:0"}
        environment = {"PATH": os.environ["PATH"], **ways}

        def one(peer: dict[str, Any]) -> list[str]:
            options = (
                f"UserKnownHostsFile={known}",
                "GlobalKnownHostsFile=none",
                "StrictHostKeyChecking=yes",
                "PubkeyAuthentication=no",
                f"ControlPath={folder}/{peer['port']}",
                "LogLevel=ERROR",
            )
            to = [
                *("ssh", "-F", "none", "-p", str(peer["port"])),
                *(part for option in options for part in ("-o", option)),
                f"{work['account']['username']}@{peer['host']}",
            ]
            with Path(folder, f"{peer['port']}.log").open("w") as log:
                master = subprocess.Popen(  # noqa: S603 - ssh
                    [*to, "-M", "-N"], env=environment, stdin=subprocess.DEVNULL, stderr=log
                )
            try:
                while not Path(folder, str(peer["port"])).exists():
                    if master.poll() is not None:
                        raise RuntimeError(f"no connection: {Path(log.name).read_text()}")
                    time.sleep(0.01)
                return [
                    subprocess.run(  # noqa: S603 - ssh
                        [*to, "-tt"], env=environment, input=f"{command}\nexit\n",
                        capture_output=True, text=True, check=True, timeout=LIMIT,
                    ).stdout
                    for command in work["commands"]
                ]  # fmt: skip
            finally:
                master.kill()  # all was answered; nothing is left to say
                master.wait(LIMIT)

        with Measured() as cost, ThreadPoolExecutor(work["side_by_side"]) as threads:
            for texts in threads.map(one, work["peers"]):
                for text in texts:
                    replies.take(text)
    tell(cost, **replies.proof())


main()
