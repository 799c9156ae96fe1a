from __future__ import annotations

from app.services.identifiers import Identifiers


def test_ids_sort_in_the_order_they_were_made() -> None:
    new_id = Identifiers()
    made = [new_id("peer") for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {len(entry) for entry in made} == {len("peer-") + 26}
