"""Waves, turns and ends of bulk jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.bulk import (
    UNSUCCESSFUL,
    BulkState,
    Child,
    ChildState,
    Counts,
    Stop,
    StopCode,
    end_of,
    in_waves,
    next_child,
)

P, S, OK = ChildState.PENDING, ChildState.STARTED, ChildState.SUCCEEDED
NO = ChildState.NOT_STARTED


def children(size: int, *states: ChildState) -> list[Child]:
    made = in_waves([f"c{number}" for number, _ in enumerate(states)], size)
    return [replace(child, state=state) for child, state in zip(made, states, strict=True)]


def test_waves_are_cut_in_the_order_given() -> None:
    assert [(child.position, child.wave) for child in in_waves(list("abcde"), 2)] == [
        (1, 1),
        (2, 1),
        (3, 2),
        (4, 2),
        (5, 3),
    ]


@pytest.mark.parametrize(
    ("size", "states", "place"),
    [
        (2, (P, P, P), 1),
        (2, (S, P, P), 2),
        (2, (S, S, P), None),
        (2, (OK, S, P), None),
        (2, (OK, OK, P), 3),
        (1, (ChildState.REFUSED, P, P), 2),
        (3, (OK, OK, OK), None),
        (1, (OK, NO, NO), None),
    ],
)
def test_whose_turn_it_is(size: int, states: tuple[ChildState, ...], place: int | None) -> None:
    found = next_child(children(size, *states))
    assert (found.position if found else None) == place


@pytest.mark.parametrize(
    ("states", "code", "end"),
    [
        ((OK, OK), None, BulkState.SUCCEEDED),
        ((OK, P), None, None),
        ((OK, S), StopCode.CANCELLED, None),
        ((OK, ChildState.FAILED), None, BulkState.FAILED),
        ((OK, NO), StopCode.TOO_MANY_FAILURES, BulkState.FAILED),
        ((OK, NO), StopCode.CANCELLED, BulkState.CANCELLED),
        ((OK, NO), StopCode.FORBIDDEN, BulkState.FAILED),
        ((OK, OK), StopCode.CANCELLED, BulkState.SUCCEEDED),
    ],
)
def test_how_it_ends(
    states: tuple[ChildState, ...], code: StopCode | None, end: BulkState | None
) -> None:
    stop = None if code is None else Stop(code, "why", datetime(2026, 3, 1, tzinfo=UTC))
    assert end_of(children(1, *states), stop) is end


@given(
    count=st.integers(1, 30),
    size=st.integers(1, 8),
    allowed=st.integers(1, 30),
    fates=st.data(),
)
def test_never_more_than_a_wave_at_once_and_none_behind_the_last_failure(
    count: int, size: int, allowed: int, fates: st.DataObject
) -> None:
    """The whole rule, played with whatever comes of each child in whatever order."""
    now = {child.position: child for child in in_waves([str(n) for n in range(count)], size)}
    while True:
        under_way = [child for child in now.values() if child.state is S]
        assert len(under_way) <= size
        assert len({child.wave for child in under_way}) <= 1
        turn = next_child(list(now.values()))
        if Counts.of(list(now.values())).unsuccessful >= allowed:
            turn = None
        if turn is not None and (not under_way or fates.draw(st.booleans())):
            begun = fates.draw(st.sampled_from([S, S, S, ChildState.REFUSED]))
            now[turn.position] = replace(turn, state=begun)
        elif under_way:
            child = fates.draw(st.sampled_from(under_way))
            end = fates.draw(st.sampled_from([OK, OK, ChildState.FAILED, ChildState.CANCELLED]))
            now[child.position] = replace(child, state=end)
        else:
            break
    left = [child for child in now.values() if child.state is P]
    counts = Counts.of(list(now.values()))
    assert not left or counts.unsuccessful >= allowed
    assert counts.unsuccessful == sum(child.state in UNSUCCESSFUL for child in now.values())
    assert counts.total == count
