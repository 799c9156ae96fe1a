"""DNS records that must have gone: looked up at the name servers of the peers that stay.

This service changes no DNS; a gate says what people have to. Whether they did is not a matter of
their word where it can be looked up: who is sent to a removed peer by DNS gets no service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.dns.expected import SERVICES
from app.dns.questions import targets
from app.domain.dns import Answer, Lookup, Question, folded
from app.domain.peer import Peer
from app.domain.plan import PlannedStep
from app.domain.procedure import Situation
from app.procedures.base import Handler, Look, StepContext
from app.procedures.steps.target import Target, elapsed

ANSWERS_WITHIN = 300.0
"""Seconds a name server may fail to answer before the operator's word is what there is."""
GONE_WITHIN = 3600.0
"""Seconds in which a change of the zone has to reach the peers' name servers."""


def no_longer_named(
    s: Situation, gone: Peer, staying: Sequence[Peer], requirements: str
) -> tuple[PlannedStep, ...]:
    """No SRV record of the cluster leads to `gone`; nothing where names cannot be looked up."""
    if s.dns is None or not any(lookup.answer.settled for lookup in s.dns.lookups):
        return ()
    seen, on = s.observed(gone.id), Target.of(gone, s)
    return (
        PlannedStep(
            key=on.key("not-in-dns"),
            kind="not-in-dns",
            title=f"No SRV record of {s.cluster.name} leads to {gone.name} any more",
            requirements=tuple(requirements.split()),
            params={
                "domain": s.cluster.name,
                "name": gone.name,
                "host": folded(seen.dns.fqdn) if seen else "",
                "address": gone.address,
                "asked_by": [peer.id for peer in staying],
            },
            expected=on.timings.read,
            limit=GONE_WITHIN,
            poll=60.0,
            safe_after=True,
        ),
    )


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


HANDLERS = (Handler("not-in-dns", look=_look),)
