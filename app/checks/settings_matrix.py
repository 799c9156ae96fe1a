"""All peers side by side: which settings each holds for itself, and what is not as it should be.

Pure: the configurations come in as flat path -> value. Shared settings are compared with the
primary's: a difference on another peer is either younger than one replication interval, or somebody
changed shared configuration on a peer that is not the primary, which the primary overwrites at best
and which stops replication at worst (guide p.17).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.appliance.settings_table import (
    ANYWHERE,
    EVERYTHING_ELSE,
    FEATURES,
    TABLE,
    Rule,
    SettingRow,
)
from app.appliance.shared import is_shared
from app.checks.findings import blocker, warning
from app.domain.finding import Finding
from app.domain.settings import PeerSettings
from transports.document import Path

_SECRET = ("password", "passphrase", "secret", "community")
MOST_DIFFERENCES = 200
"""How many differing shared settings are listed for one peer."""


class Verdict(enum.StrEnum):
    """How one row stands."""

    GOOD = "good"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """At least one peer could not tell."""


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One row of the table with every peer's values; `marked` are the peers that stand out."""

    row: SettingRow
    values: Mapping[str, Mapping[str, str]]
    verdict: Verdict
    marked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SharedDifference:
    """A replicated setting that is not the primary's. Secrets are shown as a note only."""

    peer_id: str
    path: str
    value: str
    on_primary: str


@dataclass(frozen=True, slots=True)
class SettingsMatrix:
    """The whole comparison."""

    rows: tuple[MatrixRow, ...]
    shared: tuple[SharedDifference, ...]
    findings: tuple[Finding, ...]


def settings_matrix(peers: Mapping[str, PeerSettings | None], primary_id: str) -> SettingsMatrix:
    """Compare the members; None stands for one that could not be read."""
    known = {peer_id: peer for peer_id, peer in peers.items() if peer is not None}
    silent = tuple(peer_id for peer_id, peer in peers.items() if peer is None)
    rows = [_row(row, {p: _of(row, peer) for p, peer in known.items()}, silent) for row in TABLE]
    rows.append(_row(FEATURES, {p: _features(peer) for p, peer in known.items()}, silent))
    shared = tuple(_shared(known, primary_id))
    return SettingsMatrix(tuple(rows), shared, (*_wrong_rows(rows, known), *_edited(shared, known)))


def _of(row: SettingRow, peer: PeerSettings) -> dict[str, str]:
    return {
        path: _shown(path, value)
        for path, value in sorted(peer.values.items())
        if any(path == words or path.startswith(f"{words} ") for words in row.paths)
    }


def _features(peer: PeerSettings) -> dict[str, str]:
    return {name: value for name, value in sorted(peer.features.items()) if name not in ANYWHERE}


def _row(
    row: SettingRow, values: Mapping[str, Mapping[str, str]], silent: tuple[str, ...]
) -> MatrixRow:
    filled = {
        peer_id: {path: value for path, value in own.items() if value}
        for peer_id, own in values.items()
    }
    marked: tuple[str, ...] = ()
    if row.rule in {Rule.EQUAL, Rule.SHARED}:
        marked = _unlike_most(filled)
    elif row.rule is Rule.DIFFERENT:
        marked = _alike(filled)
    unreadable = row is not FEATURES and not row.paths
    judged = row.rule is not Rule.OWN
    verdict = Verdict.GOOD
    if marked:
        verdict = Verdict.WRONG
    elif judged and (unreadable or silent):
        verdict = Verdict.UNKNOWN
    return MatrixRow(row, values, verdict, marked)


def _unlike_most(values: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    faces = {peer_id: tuple(sorted(own.items())) for peer_id, own in values.items()}
    if len(set(faces.values())) <= 1:
        return ()
    counts = [*faces.values()]
    usual = max(counts, key=counts.count)
    return tuple(peer_id for peer_id, face in faces.items() if face != usual)


def _alike(values: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    faces = {
        peer_id: tuple(sorted((path, value.casefold()) for path, value in own.items()))
        for peer_id, own in values.items()
        if own
    }
    used = [*faces.values()]
    return tuple(peer_id for peer_id, face in faces.items() if used.count(face) > 1)


def _shared(known: Mapping[str, PeerSettings], primary_id: str) -> Iterator[SharedDifference]:
    primary = known.get(primary_id)
    if primary is None:
        return
    reference = _replicated(primary)
    for peer_id, peer in known.items():
        if peer_id == primary_id:
            continue
        own = _replicated(peer)
        differing = sorted(p for p in {*own, *reference} if own.get(p, "") != reference.get(p, ""))
        for path in differing[:MOST_DIFFERENCES]:
            yield SharedDifference(
                peer_id,
                path,
                _shown(path, own.get(path, "")),
                _shown(path, reference.get(path, "")),
            )


def _replicated(peer: PeerSettings) -> dict[str, str]:
    """The shared settings. Passwords do not count: each peer may encrypt its own."""
    return {
        path: value
        for path, value in peer.values.items()
        if value and is_shared(Path.parse(path)) and "password" not in path.casefold()
    }


def _shown(path: str, value: str) -> str:
    secret = any(word in path.casefold() for word in _SECRET)
    return "(set, not shown)" if secret and value else value


def _wrong_rows(rows: list[MatrixRow], known: Mapping[str, PeerSettings]) -> Iterator[Finding]:
    for entry in rows:
        if entry.verdict is not Verdict.WRONG:
            continue
        row = entry.row
        names = ", ".join(known[peer_id].name for peer_id in entry.marked)
        should = "must be the same" if row.rule in {Rule.EQUAL, Rule.SHARED} else "must differ"
        yield blocker(
            "peer-setting-wrong",
            f"{row.label} {should} on all peers; see {names}.",
            f"Correct it on {row.page} of {names}.",
            row.requirements,
            peer_id=entry.marked[0],
            evidence={
                known[peer_id].name: "; ".join(f"{p}: {v}" for p, v in own.items()) or "empty"
                for peer_id, own in entry.values.items()
            },
        )


def _edited(
    shared: tuple[SharedDifference, ...], known: Mapping[str, PeerSettings]
) -> Iterator[Finding]:
    for peer_id in dict.fromkeys(difference.peer_id for difference in shared):
        own = [difference for difference in shared if difference.peer_id == peer_id]
        yield warning(
            "shared-setting-differs",
            f"{len(own)} shared setting(s) of {known[peer_id].name} are not the primary's:"
            f" {', '.join(difference.path for difference in own[:3])}.",
            "Wait for one replication interval (2 minutes) and look again. If it stays, shared"
            " configuration was changed on a peer that is not the primary: change it on the primary"
            " instead, then force-config-update on this peer.",
            EVERYTHING_ELSE,
            peer_id=peer_id,
            evidence={
                d.path: f"{d.value or 'empty'} / {d.on_primary or 'empty'}" for d in own[:20]
            },
        )
