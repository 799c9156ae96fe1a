"""Many who want to know the same are told one answer, and never one older than their question."""

from __future__ import annotations

import asyncio

import pytest

from app.security.acting import Act, acting
from app.security.keys import Limits, Principal, Scope
from app.services.together import Together
from transports.mock.virtual_time import run


class Rows:
    """Something that takes a second to read."""

    def __init__(self) -> None:
        self.last = 0
        self.reads = 0
        self.broken = False

    async def read(self) -> int:
        self.reads += 1
        found = self.last
        await asyncio.sleep(1)
        if self.broken:
            raise LookupError
        return found


def test_a_thousand_readers_woken_by_one_event_are_one_question():
    async def story():
        rows, together = Rows(), Together()
        rows.last = 7
        asked = [together.ask("events", rows.read) for _ in range(1000)]
        return set(await asyncio.gather(*asked)), rows.reads

    assert run(story()) == ({7}, 1)


def test_who_asks_while_an_answer_is_under_way_gets_a_newer_one():
    async def story():
        rows, together = Rows(), Together()
        early = asyncio.create_task(together.ask("events", rows.read))
        await asyncio.sleep(0.5)
        rows.last = 1
        return await together.ask("events", rows.read), await early

    assert run(story()) == (1, 0)


def test_one_that_goes_away_does_not_take_the_answer_along_and_a_failure_reaches_all():
    async def story():
        rows, together = Rows(), Together()
        first, second = (asyncio.create_task(together.ask("events", rows.read)) for _ in "ab")
        await asyncio.sleep(0.5)
        first.cancel()
        answer = await second
        rows.broken = True
        failed = [asyncio.create_task(together.ask("events", rows.read)) for _ in "ab"]
        found = await asyncio.gather(*failed, return_exceptions=True)
        with pytest.raises(LookupError):
            await together.ask("events", rows.read)
        return answer, [type(one) for one in found], rows.reads

    assert run(story()) == (0, [LookupError, LookupError], 3)


def test_an_answer_stays_among_those_who_reach_as_far():
    async def story():
        rows, together = Rows(), Together()

        async def asked_by(clusters: frozenset[str] | None) -> int:
            who = Principal("key-1", "key", Limits(frozenset({Scope.JOBS_READ}), clusters))
            with acting(Act(who)):
                return await together.ask("events", rows.read)

        await asyncio.gather(asked_by(frozenset({"a"})), asked_by(frozenset({"b"})), asked_by(None))
        return rows.reads

    assert run(story()) == 3
