"""What must be the same on all peers: version, hardware, option keys (guide p.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.checks.findings import blocker, unknown
from app.domain.finding import Finding
from app.domain.observation import Observation

CALL_LICENCES = frozenset({"NonTraversalCalls", "TraversalCalls"})
"""Features whose amount may differ from peer to peer (PRE-16)."""
SHARED_LICENCES = ("richmediasession", "turnrelay")
"""Beginnings of features that may sit on any peer and serve the whole cluster (PSI-38, PSI-39); the
recorded status has neither, so their spelling is unverified."""
_OPTION_KEYS = (
    "PRE-15 PRE-16 PRE-17 PSI-38 PSI-39 NEW-M-07 NEW-M-08 NEW-M-09 ADD-X-07 ADD-X-08 ADD-X-09"
)


def same_version(peers: Sequence[Observation]) -> Iterator[Finding]:
    """All peers run the same software (PRE-02, PRE-03)."""
    reference = peers[0]
    silent = [seen for seen in peers if not seen.software_version]
    if silent and len(peers) > 1:
        names = ", ".join(seen.label for seen in silent)
        yield unknown(
            "same-software",
            f"Which software runs on {names} is not told.",
            "All peers show the same version on Status > System > Information.",
            "PRE-02 PRE-03 NEW-P-02 ADD-P-01",
        )
        return
    for seen in peers[1:]:
        if seen.software_version != reference.software_version:
            yield blocker(
                "software-versions-differ",
                f"{reference.label} runs {reference.software_version}, {seen.label} runs"
                f" {seen.software_version}.",
                "Bring all peers to one version first (guide p.6-8).",
                "PRE-02 PRE-03 NEW-P-02 ADD-P-01",
                peer_id=seen.peer_id,
                evidence={
                    reference.peer_id: reference.software_version,
                    seen.peer_id: seen.software_version,
                },
            )


def same_option_keys(peers: Sequence[Observation]) -> Iterator[Finding]:
    """All keys but call licences are the same (PRE-15 to PRE-17, NEW-M-07..09, ADD-X-07..09).

    Keys differ from appliance to appliance by construction, so what they switch on is compared.
    """
    silent = [seen for seen in peers if not seen.features]
    if silent and len(peers) > 1:
        listed = ", ".join(seen.label for seen in silent)
        yield unknown(
            "same-option-keys",
            f"What the option keys of {listed} switch on is not told.",
            "Maintenance > Option keys shows the same keys on all peers, call licences apart.",
            _OPTION_KEYS,
        )
        return
    reference = peers[0]
    for seen in peers[1:]:
        names = sorted((reference.features.keys() | seen.features.keys()) - CALL_LICENCES)
        different = [
            name
            for name in names
            if not name.casefold().startswith(SHARED_LICENCES)
            and reference.features.get(name) != seen.features.get(name)
        ]
        if different:
            yield blocker(
                "option-keys-differ",
                f"The option keys of {reference.label} and {seen.label} give different"
                f" features: {', '.join(different)}.",
                "Install the same option keys on all peers; only call licences may differ.",
                _OPTION_KEYS,
                peer_id=seen.peer_id,
                evidence={
                    name: f"{reference.features.get(name)} / {seen.features.get(name)}"
                    for name in different
                },
            )


def equivalent_hardware(peers: Sequence[Observation]) -> Iterator[Finding]:
    """Hardware is of equivalent capability (PRE-12 to PRE-14).

    The status names the platform and not its size, so only a difference shows; whether two
    platforms are equivalent is the operator's to say.
    """
    kinds = {seen.hardware for seen in peers}
    if len(kinds) > 1 or (len(peers) > 1 and "" in kinds):
        listed = ", ".join(f"{seen.label}: {seen.hardware or 'unknown'}" for seen in peers)
        yield unknown(
            "hardware-equivalent",
            f"The peers run on different hardware, or do not name it ({listed}).",
            "The hardware of all peers has equivalent capabilities; a standard appliance goes with"
            " 2 core Medium VMs and not with 8 core Large VMs.",
            "PRE-12 PRE-13 PRE-14",
        )
