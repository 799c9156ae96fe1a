"""The port matrix of a cluster in forms to paste: text, CSV, nftables, Cisco ASA style.

The last two name each peer once and allow all of them to all of them, which is what the guide asks
for (NET-02) and stays readable with six peers. They contain no rule that drops anything.
"""

from __future__ import annotations

import csv
import enum
import io
import re
from collections.abc import Sequence

from app.appliance.profiles import VersionProfile
from app.checks.ports import AH_NUMBER, OWN_FIREWALL, Flow, Rule, flows, rules
from app.domain.peer import Peer


class RuleFormat(enum.StrEnum):
    """How the matrix is written."""

    TEXT = "text"
    CSV = "csv"
    NFTABLES = "nftables"
    ASA = "asa"


def render(
    of: RuleFormat, cluster_name: str, peers: Sequence[Peer], profile: VersionProfile
) -> str:
    """The matrix in that form, ending with a line end."""
    if of is RuleFormat.CSV:
        return _csv(rules(peers, profile))
    if of is RuleFormat.NFTABLES:
        return _nftables(cluster_name, peers, flows(profile))
    if of is RuleFormat.ASA:
        return _asa(cluster_name, peers, flows(profile))
    return _text(cluster_name, peers, profile)


def own_firewall_note(profile: VersionProfile) -> str:
    """What the peers' own Firewall rules must leave alone (NET-07)."""
    first, last = OWN_FIREWALL
    return (
        f"Firewall rules of the peers themselves must neither drop nor reject UDP {first} to {last}"
        f" (guide p.29; version profile {profile.name})."
    )


def _text(cluster_name: str, peers: Sequence[Peer], profile: VersionProfile) -> str:
    lines = [f"Ports between the peers of {cluster_name}, every pair, both directions:"]
    lines += [f"  {flow.label:<24}{flow.purpose}" for flow in flows(profile)]
    lines += ["Peers:", *(f"  {peer.name:<24}{peer.address}" for peer in peers)]
    lines += [own_firewall_note(profile)]
    return "\n".join(lines) + "\n"


def _csv(matrix: Sequence[Rule]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        ("source", "destination", "protocol", "first_port", "last_port", "purpose", "requirements")
    )
    for rule in matrix:
        first, last = rule.flow.ports or ("", "")
        protocol = rule.flow.protocol if rule.flow.ports else str(AH_NUMBER)
        writer.writerow(
            (rule.source.address, rule.destination.address, protocol, first, last,
             rule.flow.purpose, rule.flow.requirements)
        )  # fmt: skip
    return out.getvalue()


def _nftables(cluster_name: str, peers: Sequence[Peer], all_flows: Sequence[Flow]) -> str:
    lines = [
        f"# Cluster {_comment(cluster_name)}: traffic between peers (guide p.29).",
        "# Sets and chain belong in the table that filters forwarded traffic: jump between_peers",
        f"table inet {_word(cluster_name)} {{",
    ]
    chain = ["  chain between_peers {"]
    for version, kind, word in ((4, "ipv4_addr", "ip"), (6, "ipv6_addr", "ip6")):
        members = [peer.address for peer in peers if (":" in peer.address) == (version == 6)]
        if not members:
            continue
        lines += [
            f"  set peers{version} {{",
            f"    type {kind}",
            f"    elements = {{ {', '.join(members)} }}",
            "  }",
        ]
        both = f"{word} saddr @peers{version} {word} daddr @peers{version}"
        for flow in all_flows:
            match = "meta l4proto ah" if flow.ports is None else _nft_ports(flow)
            chain.append(f'    {both} {match} accept comment "{flow.purpose}"')
    return "\n".join([*lines, *chain, "  }", "}"]) + "\n"


def _nft_ports(flow: Flow) -> str:
    first, last = flow.ports or (0, 0)
    return f"{flow.protocol} dport {first}" + (f"-{last}" if last != first else "")


def _asa(cluster_name: str, peers: Sequence[Peer], all_flows: Sequence[Flow]) -> str:
    group = _word(cluster_name).upper().replace("_", "-")
    lines = [
        f"! Cluster {_comment(cluster_name)}: traffic between peers (guide p.29).",
        f"object-group network {group}",
        *(f" network-object host {peer.address}" for peer in peers),
        "!",
    ]
    for flow in all_flows:
        lines.append(f"access-list {group}-PEERS remark {flow.label}: {flow.purpose}")
        permit = f"access-list {group}-PEERS extended permit {flow.protocol}"
        both = f"{permit} object-group {group} object-group {group}"
        if flow.ports is None:
            lines.append(both)
        elif flow.ports[0] == flow.ports[1]:
            lines.append(f"{both} eq {flow.ports[0]}")
        else:
            lines.append(f"{both} range {flow.ports[0]} {flow.ports[1]}")
    return "\n".join(lines) + "\n"


def _word(name: str) -> str:
    """The cluster's name as an identifier that both firewalls take."""
    return "cw_" + re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:40]


def _comment(text: str) -> str:
    return re.sub(r"[^ -~]", "?", text)
