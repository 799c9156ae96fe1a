"""DNS records that follow the members: looked up at the name servers of the peers themselves.

This service changes no DNS; a gate or a finding says what people have to. Whether they did is not a
matter of their word where it can be looked up: who is sent to a removed peer by DNS gets no
service, and a peer that DNS does not name gets no calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.checks import dns
from app.checks.name_server import servers
from app.checks.srv import srv_records
from app.dns.expected import SERVICES, hosts
from app.dns.questions import first_round, second_round, targets
from app.domain.dns import Answer, DnsView, Lookup, Question, folded
from app.domain.finding import Severity
from app.domain.observation import Observation
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.domain.procedure import Situation
from app.procedures.base import Handler, Look, NameLookups, StepContext
from app.procedures.steps.attest import gate
from app.procedures.steps.target import Target, elapsed

ANSWERS_WITHIN = 300.0
"""Seconds a name server may fail to answer before what was said or seen earlier has to do."""
CHANGED_WITHIN = 3600.0
"""Seconds in which a change of the zone has to reach the peers' name servers."""


def no_longer_named(
    s: Situation,
    gone: Sequence[Peer],
    asked_by: Sequence[Peer],
    requirements: str,
    *,
    besides: str = "",
) -> tuple[PlannedStep, ...]:
    """No SRV record of the cluster leads to `gone`: stated, and looked up where that is possible.

    `besides` is what else the statement says. Nobody asks for the records of no peer.
    """
    who = ", ".join(f"{peer.name} ({peer.address})" for peer in gone)
    if not gone:
        return ()
    stated = gate(
        "dns-records-updated",
        f"The SRV records of {s.cluster.name} no longer name {who}{besides}.",
        requirements,
    )
    looked = (_not_named(s, peer, asked_by, requirements) for peer in gone)
    return stated, *(looked if _can_be_looked_up(s) else ())


def _not_named(
    s: Situation, peer: Peer, asked_by: Sequence[Peer], requirements: str
) -> PlannedStep:
    seen, on = s.observed(peer.id), Target.of(peer, s)
    return PlannedStep(
        key=on.key("not-in-dns"),
        kind="not-in-dns",
        title=f"No SRV record of {s.cluster.name} leads to {peer.name} any more",
        requirements=tuple(requirements.split()),
        params={
            "domain": s.cluster.name,
            "name": peer.name,
            "host": folded(seen.dns.fqdn) if seen else "",
            "address": peer.address,
            "asked_by": [each.id for each in asked_by],
        },
        expected=on.timings.read,
        limit=CHANGED_WITHIN,
        poll=60.0,
        safe_after=True,
    )


def named(
    s: Situation, peer: Peer, members: Sequence[Peer], requirements: str
) -> tuple[PlannedStep, ...]:
    """DNS leads to `peer` and every other member, at the name servers of all of them.

    The comparison that blocked the plan until the records were right, once more, with the peer
    where it is now. Nothing where names cannot be looked up: the gate `dns-records` stands then.
    """
    if not _can_be_looked_up(s):
        return ()
    on = Target.of(peer, s)
    return (
        PlannedStep(
            key=on.key("in-dns"),
            kind="in-dns",
            title=f"DNS leads from {s.cluster.name} to {peer.name} and every other member",
            requirements=tuple(requirements.split()),
            params={
                "domain": s.cluster.name,
                "members": [member.id for member in members],
                "elsewhere": dns.elsewhere(s),
            },
            expected=on.timings.read,
            limit=CHANGED_WITHIN,
            poll=60.0,
            safe_after=True,
        ),
    )


def _can_be_looked_up(s: Situation) -> bool:
    return s.dns is not None and any(lookup.answer.settled for lookup in s.dns.lookups)


async def look_up(
    names: NameLookups, domain: str, peers: Sequence[Observation], extra: Iterable[str] = ()
) -> DnsView:
    """What each peer's own name servers say about the cluster, its peers and their names."""
    first = await names.ask(first_round(domain, peers, extra))
    second = await names.ask(second_round(first, peers))
    return DnsView((*first, *second), {seen.peer_id: seen.dns.servers for seen in peers})


async def _look_named(ctx: StepContext) -> Look:
    """Only what would have blocked the plan counts; the rest of DNS was judged there."""
    wanted = ctx.step.params
    members = [await (await ctx.appliance(i)).observe() for i in wanted["members"]]
    found = servers(members, await look_up(ctx.names, wanted["domain"], members))
    lacking = [
        f"{finding.message} {finding.remedy}"
        for server in found
        for finding in (
            *srv_records(server, wanted["domain"], hosts(members), wanted["elsewhere"]),
            *dns.peer_names(server, hosts(members)),
        )
        if finding.severity is Severity.BLOCKER
    ]
    silent = {server.address: server.silence for server in found if server.silence}
    evidence = {
        "servers": [server.address for server in found],
        "lacking": lacking,
        "without_answer": list(silent),
    }
    if lacking:
        return Look(met=False, seen=evidence, note=f"not in DNS yet: {'; '.join(lacking)}")
    if found and not silent:
        asked = ", ".join(server.address for server in found)
        return Look(met=True, seen=evidence, note=f"asked {asked}")
    why = "; ".join(f"{address} {said}" for address, said in silent.items()) or "no name server"
    if elapsed(ctx) >= ANSWERS_WITHIN:
        note = f"not looked up: {why}; what was seen or stated before the job stands"
        return Look(met=False, skipped=True, seen=evidence, note=note)
    return Look(met=False, seen=evidence, note=f"without an answer: {why}")


async def _look(ctx: StepContext) -> Look:
    servers: dict[str, None] = {}
    for peer_id in ctx.step.params["asked_by"]:
        seen = await (await ctx.appliance(peer_id)).observe()
        servers |= dict.fromkeys(seen.dns.servers)
    domain = ctx.step.params["domain"]
    questions = tuple(Question.of(service.name(domain), "SRV") for service in SERVICES)
    said = await ctx.names.ask(dict.fromkeys(servers, questions))
    addresses = await ctx.names.ask(_of_targets(said))
    still, mute = _leading_there(ctx, said, addresses), _mute((*said, *addresses))
    evidence = {"servers": list(servers), "still": still, "without_answer": mute}
    if still:
        return Look(met=False, seen=evidence, note=f"still in DNS: {'; '.join(still)}")
    if not mute and servers:
        return Look(met=True, seen=evidence, note=f"asked {', '.join(servers)}")
    off = all(lookup.answer is Answer.NOT_ASKED for lookup in said)
    if off or elapsed(ctx) >= ANSWERS_WITHIN:
        note = f"not looked up: {'; '.join(mute) or 'no name server'}; the operator's word stands"
        return Look(met=False, skipped=True, seen=evidence, note=note)
    return Look(met=False, seen=evidence, note=f"without an answer: {'; '.join(mute)}")


def _of_targets(said: Iterable[Lookup]) -> dict[str, tuple[Question, ...]]:
    asked: dict[str, dict[Question, None]] = {}
    for lookup in said:
        for target in targets(lookup):
            for kind in ("A", "AAAA"):
                asked.setdefault(lookup.resolver, {})[Question.of(target.target, kind)] = None
    return {server: tuple(questions) for server, questions in asked.items()}


def _leading_there(
    ctx: StepContext, said: Iterable[Lookup], addresses: Iterable[Lookup]
) -> list[str]:
    wanted = ctx.step.params
    there = {(a.resolver, a.question.name) for a in addresses if wanted["address"] in a.data()}
    return [
        f"{lookup.resolver} has {lookup.question.name} SRV {target.target}"
        for lookup in said
        for target in targets(lookup)
        if target.target == wanted["host"] or (lookup.resolver, target.target) in there
    ]


def _mute(lookups: Iterable[Lookup]) -> list[str]:
    words = {
        lookup.resolver: f"{lookup.resolver} {lookup.answer.value.replace('-', ' ')}"
        for lookup in lookups
        if not lookup.answer.settled
    }
    return list(words.values())


HANDLERS = (Handler("not-in-dns", look=_look), Handler("in-dns", look=_look_named))
