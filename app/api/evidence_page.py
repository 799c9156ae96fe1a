"""The evidence of a job on one printable page: what the JSON says, for people.

Made from the very document that is signed, and names its digest. Everything in it is escaped: it
came from appliances, callers and operators.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import HTMLResponse

from app.api.pages import page
from app.api.report_pages import shown, table

Part = Mapping[str, Any]


def evidence_page(document: Part) -> HTMLResponse:
    """The page of a document."""
    manifest, sections = document["manifest"], document["sections"]
    job, plan = sections["job"], sections["plan"]
    titles = {step["key"]: step for stage in plan["stages"] for step in stage["steps"]}
    partial = "" if manifest["complete"] else "<p class=doubt><b>Partial: the job goes on.</b></p>"
    parts = [
        partial,
        f"<p class={_class(job['state'])}><b>{shown(job['procedure'])}: {shown(job['state'])}</b>",
        table(("What", "Value"), _summary(manifest, document, sections)),
        "<h2>Failure</h2>" + _plain(job["failure"]) if job["failure"] else "",
        "<h2>Change and correlation</h2>",
        _plain(sections["change"]),
        "<h2>Plan</h2>",
        table(("Parameter", "Value"), plan["parameters"].items()),
        table(
            ("Finding", "Severity", "Peer", "What was found"),
            ((f["code"], f["severity"], f["peer_id"], f["message"]) for f in plan["findings"]),
        ),
        "<h2>People</h2>",
        table(
            ("Statement", "By", "How they know", "Sent by", "When"),
            (
                (a["gate"], a["by"], a["reason"], a["recorded_for"], a["recorded_at"])
                for a in sections["attestations"]
            ),
        ),
        "<h3>Approvals, and the terms they were asked for under</h3>",
        _plain(sections["approvals"]),
        "<h2>What changed on the peers</h2>",
        table(
            ("Peer", "Fact", "Before", "After"),
            (
                (peer, fact, change["before"], change["after"])
                for peer, changes in sections["differences"].items()
                for fact, change in changes.items()
            ),
        ),
        "<h2>Observations</h2>",
        *(_observation(seen) for seen in sections["observations"]),
        "<h2>Steps</h2>",
        table(
            ("Step", "Peer", "State", "Outcome", "From", "To", "Before", "Seen", "Guide"),
            (_step(step, titles[step["key"]]) for step in sections["steps"]),
        ),
        "<h2>Backups</h2>",
        table(
            ("Peer", "Step", "File", "Bytes", "SHA-256"),
            (
                (b["peer_id"], b["step"], b["file_name"], b["size"], b["sha256"])
                for b in sections["backups"]
            ),
        ),
        "<h2>Events</h2>",
        table(
            ("No.", "When", "What", "Details"),
            ((e["seq"], e["at"], e["type"], _short(e["data"])) for e in sections["events"]),
        ),
        "<h2>Transcript</h2>",
        *(_entry(entry) for entry in sections["transcript"]),
    ]
    return page(f"Evidence of {job['id']}", "".join(parts))


def _summary(manifest: Part, document: Part, sections: Part) -> Iterable[tuple[str, object]]:
    job, plan = sections["job"], sections["plan"]
    return (
        ("Digest of this evidence (SHA-256)", document["digest"]),
        ("Made", manifest["made_at"]),
        ("By", f"{sections['service']['name']} {sections['service']['version']}"),
        ("Cluster", job["cluster_id"]),
        ("Peers", ", ".join(job["peers"])),
        ("Plan, digest", f"{plan['id']}, {plan['digest']}"),
        ("Asked for by", job["requested_by"]),
        ("Asked for", job["created_at"]),
        ("Began", job["started_at"]),
        ("Ended", job["finished_at"]),
    )


def _observation(seen: Part) -> str:
    late = ", taken when the job had ended" if seen["late"] else ""
    title = f"{seen['peer_id']} {seen['moment']} the job{late}"
    return f"<details><summary>{shown(title)}</summary>{_plain(seen['view'])}</details>"


def _step(step: Part, planned: Part) -> tuple[object, ...]:
    return (
        planned["title"],
        planned["peer_id"],
        step["state"],
        step["outcome"] or step["note"],
        step["started_at"],
        step["finished_at"],
        _short(step["before"]),
        _short(step["seen"]),
        " ".join(planned["requirements"]),
    )


def _entry(entry: Part) -> str:
    arrow = "&rarr;" if entry["direction"] == "sent" else "&larr;"
    spent = "" if entry["duration_ms"] is None else f"{entry['duration_ms']} ms"
    head = " ".join(
        str(entry[name]) for name in ("seq", "at", "peer_id", "step", "transport", "outcome")
    )
    return f"<section>{arrow} {shown(head)} {spent}<pre>{shown(entry['text'])}</pre></section>"


def _plain(value: object) -> str:
    return f"<pre>{shown(json.dumps(value, indent=1, ensure_ascii=False))}</pre>"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 500 else f"{text[:500]} ..."


def _class(state: str) -> str:
    return {"succeeded": "good", "failed": "bad"}.get(state, "doubt")
