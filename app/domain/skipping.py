"""Which steps an operator may set aside: the rule, once.

Skipping is for the step a job stands at and cannot get past: a wait that no longer matters, a check
that an operator has made elsewhere, an act whose outcome a person can settle and the service not.
It never replaces what protects a cluster.

1. Only the step at which the job stands. Nothing behind it is set aside beforehand.
2. A gate is stated, not skipped: its statement is what the record needs.
3. A backup is not skipped while a step that deletes configuration of that peer is still to come.
4. Hearing all peers and recording what they say is not skipped: the registry would then say what no
   appliance does. These steps change no appliance, so a retry is always possible instead.
5. A step that acts, or whose act may be under way, is skipped on an operator's explicit word that
   its effect is settled: looked at on the appliance, and either there or brought about by hand.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.job import StepRecord
from app.domain.plan import Plan

BACK_UP = "back-up"
RECORDS = frozenset({"record-members", "record-address", "record-disbanded"})


def why_not(
    plan: Plan, records: Sequence[StepRecord], index: int, *, acts: bool, settled: bool
) -> str:
    """Why step `index`, at which the job stands, may not be skipped; empty: it may.

    `acts`: whether its kind changes something. `settled`: the operator's word for rule 5.
    """
    step = plan.steps[index]
    if step.attestation:
        return "an operator states this gate; attest it instead"
    if step.kind in RECORDS:
        return "what all peers say is heard and recorded, never assumed; retry instead"
    later = plan.steps[index + 1 :]
    if step.kind == BACK_UP and any(s.destructive and s.peer_id == step.peer_id for s in later):
        return "a later step deletes configuration of this peer, and needs this backup"
    if (acts or records[index].acted_at is not None) and not settled:
        return (
            "the step acts on the appliance; look there, and say `settled` when its effect is "
            "there or was brought about by hand"
        )
    return ""
