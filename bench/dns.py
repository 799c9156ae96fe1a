"""All records of 500 clusters of three, asked of one name server: `dns`.

Ours is what a preflight report does, cluster after cluster: SRV, NAPTR, addresses and reverse of
every peer, eight questions at a time, each answer kept in full. Beside it the same questions, and
the same records got (a digest over all of them is compared), by dnspython's asynchronous resolver
with eight at a time, by dig with all questions in one batch, and by dig in a loop, which is what an
administrator's script does; the loop asks for 20 of the clusters, and figures are per question. The
server is NSD or Knot DNS, which answers faster than anybody here asks; without either, the short
form takes a small one in Python.
"""

from __future__ import annotations

import ipaddress
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.dns.expected import Host, expected
from app.dns.lookup import SIDE_BY_SIDE
from app.domain.dns import Record
from bench.command import benchmark
from bench.ours.look_ups import questions
from bench.rows import Row
from bench.sides import Took, ours, run, theirs
from bench.work import digest, record
from tests.support.authoritative import PLACES, authoritative, knotd, nsd
from tests.support.name_server import name_server

Clusters = Mapping[str, list[tuple[str, str]]]
"""Domain -> host name and address of every peer."""
PEERS = 3
ROUNDS = 2
"""Every quick side is run so often, in turn; the median counts."""


def main(short: bool) -> list[Row]:
    """Every side asks, and has to have got every record."""
    many, few = (20, 2) if short else (500, 20)
    clusters = {
        f"cluster{n}.example.com": [
            (f"exp{peer}", str(ipaddress.ip_address("10.0.0.0") + n * 8 + peer))
            for peer in range(1, PEERS + 1)
        ]
        for n in range(many)
    }
    with tempfile.TemporaryDirectory(prefix="cw-bench-") as folder:
        Path(folder).chmod(0o755)
        with _server(Path(folder), clusters) as place:
            return _rows(clusters, few, place, 1 if short else ROUNDS)


def _rows(clusters: Clusters, few: int, place: str, rounds: int) -> list[Row]:
    asked = {domain: questions(domain, peers) for domain, peers in clusters.items()}
    everything = [question for of_one in asked.values() for question in of_one]
    some = [question for of_one in list(asked.values())[:few] for question in of_one]
    work = {"place": place, "side_by_side": SIDE_BY_SIDE, "batch": True, "questions": everything}
    loop = {**work, "batch": False, "questions": some}
    wanted = digest(_answers(clusters))
    took: dict[str, list[Took]] = {"ours": [], "dnspython": [], "dig -f": []}
    for _ in range(rounds):
        took["ours"].append(run(ours("bench.ours.look_ups"), {**work, "clusters": clusters}))
        took["dnspython"].append(run(theirs("with_dnspython"), work))
        if shutil.which("dig"):
            took["dig -f"].append(run(theirs("dig"), work))
    for name, results in took.items():
        for one in results:
            _check(name, one, len(everything), wanted)
    counts = dict.fromkeys(took, len(everything))
    if shutil.which("dig"):
        counts["dig in a loop"] = len(some)
        took["dig in a loop"] = [run(theirs("dig"), loop)]
        part = digest(_answers(dict(list(clusters.items())[:few])))
        _check("dig in a loop", took["dig in a loop"][0], len(some), part)
    else:
        counts["dig in a loop"], took["dig in a loop"] = 0, []
    case = f"{len(clusters)} clusters, {len(everything):,} questions"
    mine = took.pop("ours")
    rows = []
    for measure, of in (("elapsed", lambda t: t.seconds), ("CPU", lambda t: t.cpu)):
        our = statistics.median(map(of, mine)) / len(everything) * 1000
        for name, results in took.items():
            their = statistics.median(map(of, results)) / counts[name] * 1000 if results else None
            note = "" if results else "not installed here"
            rows.append(Row(case, measure, "ms a question", our, name, their, note=note))
    return rows


def _check(name: str, took: Took, count: int, wanted: str) -> None:
    """Every side has to have asked everything and been told everything."""
    told = took.told
    if told["asked"] != count or told["unsettled"] or told["records"] != wanted:
        sys.exit(f"{name} did not do the whole work: {told}, not {count} and {wanted}")


def _records(clusters: Clusters) -> Iterator[Record]:
    for domain, peers in clusters.items():
        hosts = [Host(name, f"{name}.{domain}", (address,)) for name, address in peers]
        of_one = expected(domain, hosts)
        yield from (*of_one.services, *of_one.addresses, *of_one.reverse)


def _answers(clusters: Clusters) -> Iterator[str]:
    return (record(r.name, r.type, r.data) for r in _records(clusters))


@contextmanager
def _server(folder: Path, clusters: Clusters) -> Iterator[str]:
    records = [str(r) for r in _records(clusters)]
    zones: dict[str, list[str]] = {"example.com": [], "10.in-addr.arpa": []}
    for line in records:
        name = line.split()[0].rstrip(".")
        zones[next(zone for zone in zones if name.endswith(zone))].append(line)
    head = "{0}. 60 IN SOA ns.{0}. admin.{0}. 1 60 60 600 60\n{0}. 60 IN NS ns1.mydyndns.org.\n"
    files = {}
    for zone, lines in zones.items():
        files[zone] = folder / f"{zone}.zone"
        files[zone].write_text(head.format(zone) + "\n".join(lines) + "\n")
    if build := nsd if PLACES["nsd"] else knotd if PLACES["knotd"] else None:
        with authoritative(build, folder, files) as port:
            yield f"127.0.0.1:{port}"
    elif len(clusters) <= 20:
        with name_server("\n".join(records) + "\n") as server:
            yield server.place
    else:
        sys.exit("the full form needs a quick name server: sh tools/foreign-programs installs NSD")


if __name__ == "__main__":
    benchmark("dns", __doc__, main)
