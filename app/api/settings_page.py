"""The members' settings side by side on one printable page: a column each, what is wrong marked."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import HTMLResponse

from app.api.pages import page
from app.api.report_pages import Marked, moment, shown, table
from app.api.v1.schemas.settings_matrix import MatrixRowRead, PeerValues, SettingsMatrixRead

_RULES = {
    "must_be_equal": "the same on all",
    "must_differ": "different on each",
    "may_differ": "each peer's own",
    "shared": "shared: set on the primary only",
}


def settings_page(matrix: SettingsMatrixRead, name: str, peers: Mapping[str, str]) -> HTMLResponse:
    """The page; `peers` are the members' names by id, in the order of their list."""
    read = [peer_id for peer_id in peers if peer_id not in matrix.not_read]
    parts = [
        f"<p>Read {moment(matrix.observed_at)}. Primary: {shown(_named(matrix, peers))}.</p>",
        "".join(f"<p class=bad>{shown(peers[i])} could not be read." for i in matrix.not_read),
        "<h2>What is not as it should be</h2>",
        "".join(f"<p><b>{shown(f.message)}</b> {shown(f.remedy)}" for f in matrix.findings)
        or "<p>Nothing.",
        "<h2>What each peer holds for itself (guide p.16-17)</h2>",
        table(
            ("Setting", "Wanted", "", *(peers[peer_id] for peer_id in read), "Guide"),
            (_row(row, read) for row in matrix.rows),
        ),
        "<h2>Shared settings that are not the primary's</h2>",
        table(
            ("Peer", "Setting", "There", "On the primary"),
            (
                (peers.get(d.peer_id, d.peer_id), d.path, Marked(d.value), d.on_primary)
                for d in matrix.shared_differences
            ),
        ),
    ]
    return page(f"Settings of {name}", "".join(parts))


def _named(matrix: SettingsMatrixRead, peers: Mapping[str, str]) -> str:
    return peers.get(matrix.primary_id or "", "none")


def _row(row: MatrixRowRead, read: list[str]) -> tuple[object, ...]:
    by_peer = {own.peer_id: own for own in row.peers}
    return (
        f"{row.page}: {row.label}",
        " ".join(filter(None, (_RULES[row.rule], row.advice))),
        Marked(row.verdict) if row.verdict != "good" else "good",
        *(_values(by_peer.get(peer_id)) for peer_id in read),
        " ".join(row.requirements),
    )


def _values(own: PeerValues | None) -> object:
    text = "; ".join(f"{value.path}: {value.value}" for value in own.values) if own else ""
    return Marked(text or "empty") if own and own.marked else text
