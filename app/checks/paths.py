"""The way from peer to peer: round trips, direct routing without NAT, firewalls (guide p.5, p.29).

Only a peer can measure its way to another. What this service sees is its own way to each of them,
and from two such round trips nothing follows about the third side of the triangle: networks are
free to route any way they like. Under the assumption that no way is longer than a detour over the
third host, it lies between their difference and their sum. Both are told, as evidence with that
assumption beside it, and the round trip stays unknown.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from app.appliance.profiles import profile_for
from app.checks.findings import blocker, unknown, warning
from app.domain.finding import Finding
from app.domain.observation import Observation

RoundTrips = Mapping[tuple[str, str], float | None]
"""(from, to) by peer id -> milliseconds; None where nothing answered; absent: not measured."""
PING = "ping_from_peer"
ASSUMPTION = "if no way in the network is longer than a detour over a third of these hosts"


def between_peers(peers: Sequence[Observation], measured: RoundTrips) -> Iterator[Finding]:
    """Everything about the ways between these peers."""
    yield from firewalls()
    yield from round_trips(peers, measured)
    yield from direct(peers, measured)


def firewalls() -> Iterator[Finding]:
    """No firewall on the way, nor of a peer itself, keeps the cluster's traffic back (NET-02)."""
    yield unknown(
        "firewall-open",
        "The service cannot see firewalls between peers, nor the peers' own Firewall rules.",
        "Every firewall between the peers lets the traffic of Appendix 2 (guide p.29) through, and"
        " no Firewall rule of a peer itself drops or rejects UDP 4369 to 4380.",
        "PRE-11 NEW-P-01 NET-02 NET-07",
    )


def round_trips(peers: Sequence[Observation], measured: RoundTrips) -> Iterator[Finding]:
    """At most a 15 ms hop, 30 ms there and back, between every pair (PRE-08).

    Unknown for a pair that was measured in neither direction.
    """
    for one, other in itertools.permutations(peers, 2):
        took = measured.get((one.peer_id, other.peer_id))
        limit = _limit(one)
        if took is not None and took > limit:
            yield blocker(
                "round-trip-too-long",
                f"The round trip from {one.label} to {other.label} takes {took:g} ms; at most"
                f" {limit:g} ms are allowed.",
                "Cluster only peers that are close to each other, or better the path between them.",
                "PRE-08",
                peer_id=one.peer_id,
                evidence={"from": one.address, "to": other.address, "milliseconds": f"{took:g}"},
            )
    pairs = [
        (one, other)
        for one, other in itertools.combinations(peers, 2)
        if measured.get((one.peer_id, other.peer_id)) is None
        and measured.get((other.peer_id, one.peer_id)) is None
    ]
    if pairs:
        listed = "; ".join(f"{_named(one)} and {_named(other)}" for one, other in pairs)
        limit = min(_limit(one) for one, _ in pairs)
        yield unknown(
            "round-trips",
            f"{len(pairs)} round trip(s) between the peers cannot be measured from peer to peer.",
            f"The round trip is at most {limit:g} ms ({limit / 2:g} ms a hop) between: {listed}.",
            "PRE-08",
            capability=PING,
            evidence=_from_here(pairs),
        )


def direct(peers: Sequence[Observation], measured: RoundTrips) -> Iterator[Finding]:
    """Each peer reaches each other one directly, and no address is translated (PRE-09, PRE-10)."""
    for one, other in itertools.permutations(peers, 2):
        if measured.get((one.peer_id, other.peer_id), 0.0) is None:
            # Not a blocker: a firewall may drop the echo and let the cluster's own traffic through.
            yield warning(
                "peer-does-not-answer-peer",
                f"{one.label} gets no echo from {other.address} ({other.label}).",
                "Make sure that the peers are directly routable to each other, without NAT, and"
                " that the ports of Appendix 2 (guide p.29) are open between them.",
                "PRE-09 PRE-11",
                peer_id=one.peer_id,
                evidence={"from": one.address, "to": other.address},
            )
    if len(peers) > 1:
        names = ", ".join(_named(seen) for seen in peers)
        yield unknown(
            "direct-routing",
            "Address translation on the way between peers cannot be seen from here.",
            f"Each of {names} reaches each other one directly, without address translation (NAT).",
            "PRE-09 PRE-10 NET-10",
        )


def _from_here(pairs: Sequence[tuple[Observation, Observation]]) -> dict[str, str]:
    """What this service's own round trips say about the pairs, and under which assumption."""
    evidence: dict[str, str] = {}
    for seen in {seen.peer_id: seen for pair in pairs for seen in pair}.values():
        own = seen.round_trip_from_here
        evidence[f"from here to {seen.label}"] = (
            "not measured" if own is None else f"{own:.3g} ms there and back"
        )
    for one, other in pairs:
        first, second = one.round_trip_from_here, other.round_trip_from_here
        if first is None or second is None:
            continue
        least, most, limit = abs(first - second), first + second, _limit(one)
        if most <= limit:
            verdict = f"within {limit:g} ms"
        elif least > limit:
            verdict = f"beyond {limit:g} ms"
        else:
            verdict = f"tells nothing about {limit:g} ms"
        evidence[f"{one.label} to {other.label}"] = (
            f"{least:.3g} to {most:.3g} ms {ASSUMPTION}: {verdict}"
        )
    return evidence


def _limit(seen: Observation) -> float:
    return profile_for(seen.software_version).max_round_trip_ms


def _named(seen: Observation) -> str:
    return f"{seen.label} ({seen.address})" if seen.label != seen.address else seen.address
