"""A status of 200 kB by getxml from 60 peers over real HTTPS sockets: `http-fleet`.

Ours is the HTTPS transport: pinned certificate, one connection a peer, every reply checked and read
into a document. Beside it, all peers at the same time and twice each on kept connections:
httpx alone in the same interpreter, aiohttp, and urllib3 in threads, all of which keep the bytes
and parse nothing, so what ours takes above httpx is the document. All sides count the zones in the
replies, which those that do not parse find by their tag.

The fleet is one process in Python that makes the document anew for every request; the row `the
fleet's CPU` says how much of the elapsed time is the fleet's own, and the CPU of the caller is what
to compare.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

from bench.command import benchmark
from bench.fleet import account, fleet
from bench.rows import Row
from bench.sides import Took, ours, run, theirs

OURS = "ours"
SIDES = {
    OURS: ours("bench.ours.http_transport"),
    "bare httpx": ours("bench.ours.bare_httpx"),
    "aiohttp": theirs("with_aiohttp"),
    "urllib3 threads": theirs("with_urllib3"),
}
ZONES = 180
"""So many make a status of 200 kB."""
TIMES = 2
ROUNDS = 2
Outcome = tuple[Took, float]
"""What a side took, and the fleet's CPU seconds meanwhile."""


def main(short: bool) -> list[Row]:
    """Every side in turn; the median counts."""
    count, rounds = (3, 1) if short else (60, ROUNDS)
    took: dict[str, list[Outcome]] = {side: [] for side in SIDES}
    with fleet(count, "https", ZONES) as served:
        work = {
            "peers": served.peers,
            "account": account(),
            "times": TIMES,
            "target": "/getxml?location=/Status/Zones",
        }
        for _ in range(rounds):
            for side, command in SIDES.items():
                before = served.cpu()
                took[side].append((run(command, work), served.cpu() - before))
    size = _checked(took, count * TIMES)
    case = f"{count} peers x {TIMES}, {size / 1000:.0f} kB each"
    measures: dict[str, Callable[[Outcome], float]] = {
        "elapsed": lambda one: one[0].seconds,
        "CPU": lambda one: one[0].cpu,
        "the fleet's CPU": lambda one: one[1],
    }
    return [
        Row(case, measure, "ms a status", _median(took[OURS], of, count), side,
            _median(outcomes, of, count))
        for side, outcomes in took.items() if side != OURS
        for measure, of in measures.items()
        if measure != "the fleet's CPU" or side == "bare httpx"
    ]  # fmt: skip


def _median(outcomes: list[Outcome], of: Callable[[Outcome], float], count: int) -> float:
    return statistics.median(map(of, outcomes)) * 1000 / (count * TIMES)


def _checked(took: dict[str, list[Outcome]], replies: int) -> float:
    """Every side has to have got every zone of every reply; bytes of one reply."""
    told = {side: [one.told for one, _ in outcomes] for side, outcomes in took.items()}
    zones = {(one["replies"], one["zones"]) for of_side in told.values() for one in of_side}
    if len(zones) != 1 or next(iter(zones))[0] != replies or next(iter(zones))[1] < ZONES * replies:
        sys.exit(f"not all did the same work: {told}")
    return float(told["bare httpx"][0]["bytes"]) / replies


if __name__ == "__main__":
    benchmark("http-fleet", __doc__, main)
