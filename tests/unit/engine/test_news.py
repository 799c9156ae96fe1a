"""News nudge readers; whoever is slow misses nothing and costs nothing."""

from __future__ import annotations

import asyncio

from app.engine.news import LocalNews
from app.storage.event_news import payloads, told_of
from transports.mock.virtual_time import run


def test_a_reader_is_nudged_by_its_own_job_only() -> None:
    async def story() -> tuple[float, float]:
        news, loop = LocalNews(), asyncio.get_running_loop()
        async with news.watch("job-1") as wait:
            news.tell("job-2")
            await wait(15)
            alone = loop.time()
            news.tell("job-1")
            await wait(15)
            return alone, loop.time()

    assert run(story()) == (15, 15)


def test_news_told_while_a_reader_was_busy_are_not_missed() -> None:
    async def story() -> float:
        news = LocalNews()
        async with news.watch("job-1") as wait:
            for _ in range(1000):
                news.tell("job-1")
            await wait(15)
            return asyncio.get_running_loop().time()

    assert run(story()) == 0


def test_a_reader_that_left_leaves_nothing_behind() -> None:
    async def story() -> int:
        news = LocalNews()
        async with news.watch("job-1"), news.watch("job-1"):
            assert news.readers == 2
        return news.readers

    assert run(story()) == 0


def test_many_jobs_fit_into_few_notifications_of_bearable_length() -> None:
    written = [(f"job-{number:026}", number) for number in range(2000)]
    found = payloads(written)
    assert max(map(len, found)) < 8000
    assert len(found) < 15
    assert [job for payload in found for job in told_of(payload)] == [job for job, _ in written]
