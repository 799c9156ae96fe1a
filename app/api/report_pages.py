"""Reports for people: one printable page, or rows for a spreadsheet, of what the JSON says.

Both are made from the very models that the JSON answer has. Everything that came from an appliance
or a caller is escaped; nothing is fetched from anywhere; a spreadsheet never takes a cell for a
formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from starlette.responses import HTMLResponse, Response

from app.api.pages import page
from app.api.v1.schemas.checks import CheckedRead
from app.api.v1.schemas.diagnosis import CauseRead
from app.api.v1.schemas.plans import DemandedRead, FindingRead, PlanRead
from app.api.v1.schemas.reports import ClusterReport

Names = Mapping[str, str]
"""Peer id -> the peer's name."""

_CLASSES = {"pass": "good", "info": "quiet", "warning": "doubt", "unknown": "doubt"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cluster_page(report: ClusterReport, names: Names) -> HTMLResponse:
    """The report of a cluster."""
    diagnosis = report.diagnosis
    state = "good" if diagnosis.healthy else "bad"
    parts = [
        f"<p>Observed {moment(report.observed_at)}.</p>",
        f"<p class={state}><b>{shown(diagnosis.summary)}</b></p>",
        _job(diagnosis.running_job_id),
        "<h2>Members</h2>",
        table(
            ("Peer", "Address", "Version", "Primary", "Cluster name", "Database", "Alarms"),
            (
                (
                    member.name,
                    member.address,
                    member.software_version or member.not_observed,
                    "primary" if member.primary else "",
                    member.cluster_name,
                    member.database_status,
                    member.alarms,
                )
                for member in report.members
            ),
        ),
        "<h2>What is wrong, root causes first</h2>",
        "".join(_cause(cause, names) for cause in diagnosis.causes) or "<p>Nothing.</p>",
        "<h2>Checks</h2>",
        (
            f"<p>{report.checks.passes} pass, {report.checks.warnings} warn,"
            f" {report.checks.unknowns} unknown, {report.checks.blockers} block.</p>"
        ),
        table(
            ("Outcome", "Check", "Peer", "Found, and what to do", "Guide"),
            (
                (
                    Marked(checked.outcome),
                    checked.title,
                    _name(checked.peer_id, names),
                    _found(checked),
                    " ".join(checked.requirements),
                )
                for checked in report.checks.checks
                if checked.outcome != PASS
            ),
        ),
        "<h3>What passes</h3>",
        table(
            ("Outcome", "Check", "Of", "Worth knowing", "Guide"),
            (
                (
                    Marked(PASS),
                    several[0].title,
                    ", ".join(_name(checked.peer_id, names) or "all" for checked in several),
                    " ".join(f.message for checked in several for f in checked.findings),
                    " ".join(several[0].requirements),
                )
                for several in _by_check(report.checks.checks)
            ),
        ),
    ]
    return page(f"Cluster {report.cluster.name}", "".join(parts))


def plan_page(plan: PlanRead, cluster_name: str, names: Names) -> HTMLResponse:
    """The preflight report of a plan: what was found, and what the job would do."""
    verdict = "A finding forbids starting." if plan.blocked else "Nothing forbids starting."
    parts = [
        (
            f"<p>Cluster {shown(cluster_name)}. Made {moment(plan.created_at)}, can be started"
            f" until {moment(plan.expires_at)}. Digest <code>{shown(plan.digest)}</code>.</p>"
        ),
        f"<p class={'bad' if plan.blocked else 'good'}><b>{verdict}</b></p>",
        table(("Parameter", "Value"), plan.parameters.items()),
        "<h2>Findings</h2>",
        "".join(_finding(found, names) for found in plan.findings) or "<p>None.</p>",
        "<h2>What users will notice</h2>",
        table(
            (
                "Peer",
                "In short",
                "New calls refused",
                "Calls dropped",
                "Registrations lost",
                "Restarts",
                "Away",
                "If an alarm demands it",
            ),
            (
                (
                    _name(impact.peer_id, names),
                    impact.summary,
                    f"for {_minutes(impact.refusing_seconds)}" if impact.calls_refused else "no",
                    "yes" if impact.calls_dropped else "no",
                    "yes" if impact.registrations_lost else "no",
                    impact.restarts,
                    _minutes(impact.outage_seconds),
                    _if_demanded(impact.if_demanded),
                )
                for impact in plan.impact
            ),
        ),
        (
            f"<p>About {_minutes(plan.expected_seconds)} in all, or"
            f" {_minutes(plan.expected_seconds_if_demanded)} where alarms demand every restart that"
            " depends on one; waits for people not counted.</p>"
        ),
        "<h2>What people state</h2>",
        table(
            ("Statement", "Gate", "Guide"),
            (
                (needed.statement, needed.gate, " ".join(needed.requirements))
                for needed in plan.attestations_needed
            ),
        ),
        "<h2>Steps</h2>",
        "".join(_stage(stage.title, stage.page, stage.steps, names) for stage in plan.stages),
        "<h2>Back-out</h2><ul>",
        *(f"<li>{shown(line)}" for line in plan.back_out),
        "</ul>",
    ]
    return page(f"Plan: {plan.procedure}", "".join(parts))


def cluster_rows(report: ClusterReport, names: Names) -> Response:
    """The causes and the checks as CSV."""
    rows: list[tuple[Any, ...]] = [
        (
            "cause",
            number,
            cause.finding.severity,
            cause.finding.code,
            _name(cause.finding.peer_id, names),
            cause.finding.message,
            cause.finding.remedy,
            " ".join(cause.finding.requirements),
            len(cause.explains),
            cause.expected or "",
        )
        for number, cause in enumerate(report.diagnosis.causes, start=1)
    ]
    rows += [
        (
            "check",
            number,
            checked.outcome,
            checked.key,
            _name(checked.peer_id, names),
            " ".join(f.message for f in checked.findings) or checked.title,
            " ".join(f.remedy for f in checked.findings) or checked.settled_by,
            " ".join(checked.requirements),
            "",
            "",
        )
        for number, checked in enumerate(report.checks.checks, start=1)
    ]
    heading = (
        "kind", "number", "severity", "code", "peer", "message", "remedy", "requirements",
        "signs_explained", "expected_because",
    )  # fmt: skip
    return _csv(f"cluster-{report.cluster.id}.csv", heading, rows)


def plan_rows(plan: PlanRead, names: Names) -> Response:
    """The findings of a plan as CSV."""
    heading = ("number", "severity", "code", "peer", "message", "remedy", "requirements")
    rows = (
        (
            number,
            found.severity,
            found.code,
            _name(found.peer_id, names),
            found.message,
            found.remedy,
            " ".join(found.requirements),
        )
        for number, found in enumerate(plan.findings, start=1)
    )
    return _csv(f"plan-{plan.id}.csv", heading, rows)


PASS = "pass"  # noqa: S105 - an outcome, not a password


def _by_check(checks: Iterable[CheckedRead]) -> list[list[CheckedRead]]:
    """What passes, by check, with the peers it passes for."""
    found: dict[str, list[CheckedRead]] = {}
    for checked in checks:
        if checked.outcome == PASS:
            found.setdefault(checked.key, []).append(checked)
    return list(found.values())


def _found(checked: CheckedRead) -> str:
    """The findings, each with its remedy; for an unknown, what would settle it."""
    told = [
        found.message if found.severity == "unknown" else f"{found.message} {found.remedy}"
        for found in checked.findings
    ]
    settled = f"Settled by: {checked.settled_by}" if checked.settled_by else ""
    return " ".join([*told, settled]).strip()


class Marked(str):
    """An outcome that is shown in its colour."""

    __slots__ = ()


def moment(at: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def shown(value: object) -> str:
    """A value as text that is safe inside a page; nothing for None."""
    return escape("" if value is None else str(value))


def _name(peer_id: str | None, names: Names) -> str:
    return "" if peer_id is None else names.get(peer_id, peer_id)


def _if_demanded(more: DemandedRead) -> str:
    if not more.restarts:
        return "nothing"
    calls = ", calls dropped" if more.calls_dropped else ""
    return f"{more.restarts} restart(s){calls}, {_minutes(more.outage_seconds)} away"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _cell(value: object) -> str:
    if isinstance(value, Marked):
        return f"<td class={_CLASSES.get(value, 'bad')}>{shown(value)}"
    return f"<td>{shown(value)}"


def table(heading: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of escaped cells; "None." where there are no rows."""
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}" for row in rows)
    if not body:
        return "<p>None.</p>"
    head = "".join(f"<th>{shown(title)}" for title in heading)
    return f"<table class=wide><thead><tr>{head}<tbody>{body}</table>"


def _job(job_id: str | None) -> str:
    return "" if job_id is None else f"<p>Job {shown(job_id)} is at work on this cluster.</p>"


def _finding(found: FindingRead, names: Names, more: str = "") -> str:
    about = f" ({shown(_name(found.peer_id, names))})" if found.peer_id else ""
    evidence = table(("Seen", ""), found.evidence.items()) if found.evidence else ""
    label = "An operator states" if found.severity == "unknown" else "What to do"
    return (
        f"<section><h3 class={_CLASSES.get(found.severity, 'bad')}>{shown(found.severity)}:"
        f" {shown(found.code)}{about}</h3><p>{shown(found.message)}</p>"
        f"<p><b>{label}:</b> {shown(found.remedy)}</p>{more}{evidence}"
        f"<p class=quiet>Guide: {shown(' '.join(found.requirements)) or 'none'}</p></section>"
    )


def _cause(cause: CauseRead, names: Names) -> str:
    more = f"<p class=quiet>Expected: {shown(cause.expected)}.</p>" if cause.expected else ""
    for request in cause.requests:
        only = f", where {shown(request.when)}" if request.when else ""
        only += f", with {shown(' and '.join(request.needs))} added" if request.needs else ""
        more += (
            f"<p>Mended by <b>{shown(request.title)}</b>{only}:"
            f" <code>{shown(request.method)} {shown(request.path)}</code></p>"
        )
    if cause.explains:
        signs = "".join(
            f"<li>{shown(_name(sign.peer_id, names))}: {shown(sign.text)}"
            for sign in cause.explains
        )
        more += f"<p>It accounts for:</p><ul>{signs}</ul>"
    return _finding(cause.finding, names, more)


def _stage(title: str, guide_page: str, steps: Iterable[Any], names: Names) -> str:
    on = f" (guide p.{shown(guide_page)})" if guide_page else ""
    rows = table(
        ("Step", "Peer", "About", "Guide"),
        (
            (
                step.title,
                _name(step.peer_id, names),
                _minutes(step.expected_seconds),
                " ".join(step.requirements),
            )
            for step in steps
        ),
    )
    return f"<section><h3>{shown(title)}{on}</h3>{rows}</section>"


def _csv(file_name: str, heading: Iterable[str], rows: Iterable[Iterable[object]]) -> Response:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(heading)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return Response(
        written.getvalue(),
        media_type="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )


def _plain(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
