"""Alarms as the status words them, read into domain values with their numbers.

The status names an alarm by UUID and text and not by its five-digit number; the catalogue
(app.appliance.alarm_catalogue) finds the number by either.
"""

from __future__ import annotations

from app.appliance.alarm_catalogue import CLUSTER_NUMBERS, kind_of
from app.domain.observation import Alarm


def read_alarm(uuid: str, reason: str, state: str) -> Alarm:
    """An alarm from the status' words: `Reason` is `<title> - <description>`."""
    title, _, description = reason.partition(" - ")
    if not description:
        title, _, description = reason.partition(": ")
    kind = kind_of(uuid, title, description)
    return Alarm(
        uuid=uuid,
        title=title.strip(),
        description=description.strip(),
        acknowledged=state.casefold() == "acknowledged",
        number=None if kind is None else kind.number,
    )


def is_cluster_alarm(alarm: Alarm) -> bool:
    """Whether the alarm speaks of clustering (guide p.7: may be ignored while under way)."""
    return alarm.number in CLUSTER_NUMBERS or alarm.title.casefold().startswith("cluster ")
