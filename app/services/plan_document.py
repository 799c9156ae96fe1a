"""A plan and observations as JSON, and a plan back: how they are stored and compared."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.domain.finding import Finding, Severity
from app.domain.observation import View
from app.domain.plan import Demanded, Impact, Plan, PlannedStep, Stage
from app.domain.terms import Terms
from app.domain.window import ALWAYS, calendar_from

_VOLATILE = frozenset(
    {"observed_at", "uptime", "calls", "peer_id", "clock_offset", "round_trip_from_here"}
)
"""Facts that change by themselves; a difference in them explains nothing."""


_PLAIN = frozenset({str, int, float, bool, type(None)})


def to_json(value: Any) -> Any:
    """Dataclasses, tuples, mappings, times and enums as plain JSON values.

    Each step and event that is written passes here, so what most values are is asked first.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {str(key): to_json(item) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return {name: to_json(getattr(value, name)) for name in _names(kind)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [to_json(item) for item in items]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def plan_from_json(document: Mapping[str, Any]) -> Plan:
    """The plan that `to_json` wrote. Raises KeyError or TypeError on anything else."""
    return Plan(
        id=document["id"],
        cluster_id=document["cluster_id"],
        procedure=document["procedure"],
        parameters=document["parameters"],
        stages=tuple(_stage(stage) for stage in document["stages"]),
        findings=tuple(_finding(finding) for finding in document["findings"]),
        impact=tuple(_impact(impact) for impact in document["impact"]),
        back_out=tuple(document["back_out"]),
        fingerprint=document["fingerprint"],
        created_at=datetime.fromisoformat(document["created_at"]),
        expires_at=datetime.fromisoformat(document["expires_at"]),
        requested_by=document["requested_by"],
    )


def terms_from_json(document: Mapping[str, Any]) -> Terms:
    """The terms that `to_json` wrote; what a job of an older version did not have is not asked."""
    times = {
        name: datetime.fromisoformat(document[name])
        for name in ("approve_before", "not_before")
        if document.get(name) is not None
    }
    return Terms(
        approvals=document.get("approvals", 0),
        four_eyes=document.get("four_eyes", False),
        enforce_window=document.get("enforce_window", False),
        window_ids=tuple(document.get("window_ids", ())),
        calendar=calendar_from(document["calendar"]) if "calendar" in document else ALWAYS,
        pace=document.get("pace", 1.0),
        **times,
    )


def facts(view: View) -> dict[str, str]:
    """The facts of a view as flat `dns.domain` -> text, without those that change by themselves."""
    flat: dict[str, str] = {}
    document = {key: item for key, item in to_json(view).items() if key not in _VOLATILE}
    _flatten("", document, flat)
    return flat


def view_difference(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """Facts that differ between two views as JSON: path -> text before, text after."""
    flat: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for document, into in zip((before, after), flat, strict=True):
        kept = {key: item for key, item in document.items() if key not in _VOLATILE}
        _flatten("", kept, into)
    return {
        path: (flat[0].get(path, ""), flat[1].get(path, ""))
        for path in sorted({*flat[0], *flat[1]})
        if flat[0].get(path, "") != flat[1].get(path, "")
    }


def _flatten(prefix: str, value: Any, into: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _flatten(f"{prefix}.{key}" if prefix else key, item, into)
    elif isinstance(value, list):
        for number, item in enumerate(value, start=1):
            _flatten(f"{prefix}.{number}", item, into)
    else:
        into[prefix] = "unknown" if value is None else str(value)


def _stage(document: Mapping[str, Any]) -> Stage:
    steps = tuple(
        PlannedStep(**{**step, "requirements": tuple(step["requirements"])})
        for step in document["steps"]
    )
    return Stage(**{**document, "steps": steps})


def _impact(document: Mapping[str, Any]) -> Impact:
    """A plan of an older version says nothing of registrations and demanded restarts."""
    return Impact(**{**document, "demanded": Demanded(**document.get("demanded", {}))})


def _finding(document: Mapping[str, Any]) -> Finding:
    return Finding(
        **{
            **document,
            "severity": Severity(document["severity"]),
            "requirements": tuple(document["requirements"]),
        }
    )
