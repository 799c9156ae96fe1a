"""Alarms of an appliance by number, UUID and title (device facts 9).

The status names an alarm by UUID and text and not by its five-digit number, so the number is looked
up here: by UUID where one is on record, else by the title and the words of the description. X8.2
says *master* and *slave*, later versions *primary* and *subordinate*; both are compared as one.
"""

from __future__ import annotations

from app.domain.observation import Alarm

_BY_UUID = {
    "3bca6888-f622-11df-93be-07cc953d7b99": 20004,
    "0f96695e-d954-4f6f-85c1-2ef1eae6f764": 20006,
    "e2b8e3d1-b731-4d7d-b606-4682a8f0c2e6": 20007,
    "992bace4-fac4-11de-91d1-00223ff026c1": 25002,
    "56571d3a-66de-11e1-9891-534a0e304347": 25021,
}

_BY_WORDS: tuple[tuple[str, str, int], ...] = (
    ("invalid cluster configuration", "", 20003),
    ("cluster communication failure", "", 20004),
    ("invalid peer address", "", 20005),
    ("cluster database communication failure", "", 20006),
    ("restart required", "cluster configuration has been changed", 20007),
    ("cluster replication error", "upgrade is in progress", 20008),
    ("cluster replication error", "conflicts with the primary", 20011),
    ("cluster replication error", "do not match", 20012),
    ("cluster replication error", "cannot find primary", 20014),
    ("cluster replication error", "does not appear in the list of peers", 20015),
    ("cluster replication error", "unreachable", 20016),
    ("cluster replication error", "is inconsistent", 20017),
    ("cluster replication error", "", 20009),
    ("invalid clustering configuration", "h.323", 20018),
    ("cluster name not configured", "", 20019),
    ("maintenance mode", "", 15015),
    ("date and time not validated", "", 25002),
    ("ntp server not available", "", 25021),
)

CLUSTER_NUMBERS = frozenset(range(20003, 20020))
"""Alarms of clustering; expected while a procedure changes the cluster, gone after it."""


def read_alarm(uuid: str, reason: str, state: str) -> Alarm:
    """An alarm from the status' words: `Reason` is `<title> - <description>`."""
    title, _, description = reason.partition(" - ")
    if not description:
        title, _, description = reason.partition(": ")
    return Alarm(
        uuid=uuid,
        title=title.strip(),
        description=description.strip(),
        acknowledged=state.casefold() == "acknowledged",
        number=_number(uuid, title, description),
    )


def is_cluster_alarm(alarm: Alarm) -> bool:
    """Whether the alarm speaks of clustering (guide p.7: may be ignored while under way)."""
    return alarm.number in CLUSTER_NUMBERS or alarm.title.casefold().startswith("cluster ")


def _number(uuid: str, title: str, description: str) -> int | None:
    if uuid in _BY_UUID:
        return _BY_UUID[uuid]
    title = _one_wording(title)
    description = _one_wording(description)
    for start, words, number in _BY_WORDS:
        if title.startswith(start) and words in description:
            return number
    return None


def _one_wording(text: str) -> str:
    folded = text.strip().casefold()
    return folded.replace("master", "primary").replace("slave", "subordinate")
