"""20 commands on each of 6, 60 and 600 simulated peers over real SSH sockets: `ssh-fleet`.

Ours is the SSH transport as the appliance layer uses it: pinned host key, one session a peer, every
reply read into a document. Beside it, with as many peers at a time (100): asyncssh alone, which
types and reads until a line `OK`, in the same interpreter; paramiko in threads; OpenSSH with
ControlMaster; ansible-core. All sides count the replies and the values in them, and show the serial
number of every peer.

The fleet is one process in Python and does as much SSH work as a caller, so two cores are one for
each; the row `the fleet's CPU` says how much of the elapsed time is the fleet's. Sessions of ours
begin with two silences of 0.3 s each, because no source records what the device prints after a
log-in; that is why few peers for the first time take longer, and `sessions open` is what a kept
session costs. The slow peers are asked on few appliances only: OpenSSH starts a process for every
command and takes 6 and 60, ansible-core 6.
"""

from __future__ import annotations

import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from bench.command import benchmark
from bench.fleet import Served, account, fleet
from bench.rows import Row
from bench.sides import Took, ours, run, theirs

SIDE_BY_SIDE = 100
COMMANDS = (
    *("xStatus SystemUnit", "xConfiguration Alternates", "xStatus Alternates"),
    *("xConfiguration SystemUnit", "xStatus Ethernet", "xConfiguration IP", "xStatus Warnings"),
    *("xConfiguration NTP", "xStatus Calls", "xConfiguration H323", "xStatus Options"),
    *("xConfiguration SIP", "xStatus IP", "xConfiguration Zones", "xStatus Registrations"),
    *("xConfiguration Login", "xStatus ResourceUsage", "xConfiguration Option"),
    *("xStatus Zones", "xConfiguration Call"),
)
OURS, BARE = "ours", "bare asyncssh"
PARAMIKO, OPENSSH, ANSIBLE = "paramiko threads", "OpenSSH ControlMaster", "ansible-core"
SIDES = {
    OURS: ours("bench.ours.ssh_transport"),
    BARE: ours("bench.ours.bare_asyncssh"),
    PARAMIKO: theirs("with_paramiko"),
    OPENSSH: theirs("openssh"),
    ANSIBLE: theirs("with_ansible"),
}
FULL = {6: tuple(SIDES), 60: (OURS, BARE, PARAMIKO, OPENSSH), 600: (OURS, BARE, PARAMIKO)}
SHORT = {2: tuple(SIDES)}
ROUNDS = 3
"""Ours and asyncssh alone, in turn, up to 60 peers; the median counts."""


def main(short: bool) -> list[Row]:
    """Each amount on a fleet of its own."""
    rows = []
    commands = COMMANDS[:4] if short else COMMANDS
    for count, sides in (SHORT if short else FULL).items():
        with fleet(count, "ssh") as served:
            case = f"{count} peers x {len(commands)} commands"
            rounds = 1 if short or count > 60 else ROUNDS
            work = {"peers": served.peers, "commands": commands, "side_by_side": SIDE_BY_SIDE}
            rows += _compared(case, served, sides, {**work, "warm": False}, rounds)
            if count <= 60:
                warm = f"{case}, sessions open"
                rows += _compared(warm, served, (OURS, BARE), {**work, "warm": True}, rounds)
    return rows


def _compared(
    case: str, served: Served, sides: Sequence[str], work: Mapping[str, Any], rounds: int
) -> list[Row]:
    took: dict[str, list[tuple[Took, float]]] = {side: [] for side in sides}
    missing = {OPENSSH, ANSIBLE} if not shutil.which("ssh") else set()
    for turn in range(rounds):
        for side in sides:
            if side in missing or (turn and side not in {OURS, BARE}):
                continue
            before = served.cpu()
            asked = {**work, "account": account(root=side == ANSIBLE)}
            result = run(SIDES[side], asked)
            took[side].append((result, served.cpu() - before))
            _check(side, result, took[OURS][0][0], len(served.peers) * len(work["commands"]))
    count = len(served.peers)
    rows = []
    for side in sides[1:]:
        measures = [("elapsed", lambda one: one[0].seconds), ("CPU", lambda one: one[0].cpu)]
        if side == BARE:
            measures.append(("the fleet's CPU", lambda one: one[1]))
        for measure, of in measures:
            our = statistics.median(map(of, took[OURS])) * 1000 / count
            their = statistics.median(map(of, took[side])) * 1000 / count if took[side] else None
            note = "" if took[side] else "no ssh program here"
            rows.append(Row(case, measure, "ms a peer", our, side, their, note=note))
    return rows


def _check(side: str, took: Took, ours: Took, replies: int) -> None:
    """Every side has to have got as many values, and from every peer."""
    told = {key: took.told[key] for key in ("replies", "values", "serials")}
    wanted = {key: ours.told[key] for key in told} | {"replies": replies}
    if told != wanted or not told["values"]:
        sys.exit(f"{side} did not do the whole work: {told}, not {wanted}")


if __name__ == "__main__":
    benchmark("ssh-fleet", __doc__, main)
