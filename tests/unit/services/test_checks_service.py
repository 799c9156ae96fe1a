"""What the report takes from watching."""

from datetime import UTC, datetime

from app.services.checks import lost_since
from app.services.watch_records import Standing

THEN = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_two_weeks_count_from_when_watching_first_saw_the_peer_lost():
    standing = [
        Standing("a", "silence", "peer-2", {"code": "peer-down"}, THEN),
        Standing("b", "finding", "peer-3", {"code": "h323-off"}, THEN),
        Standing("c", "finding", None, {"code": "peer-down"}, THEN),
        Standing("d", "silence", "peer-4", {"code": "peer-down"}, None),
    ]
    assert lost_since(standing) == {"peer-2": THEN}
