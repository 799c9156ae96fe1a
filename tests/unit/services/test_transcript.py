"""What is said to a peer is written down redacted, bounded, and before an act is sent."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from app.engine.clock import SystemClock
from app.engine.errors import JournalDown, LeaseLost
from app.engine.under_way import UNDER_WAY, UnderWay
from app.security.redaction import Redactor
from app.services import transcript
from app.services.transcript import LONGEST_TEXT, Entry, Notebook, Recorded
from app.services.transcript_writer import LEFT_OUT, TranscriptWriter
from simulation.rehearsal import KEY, Rehearsal
from transports import mock, wording
from transports.base import CreateBackup, SetPreSharedKey
from transports.command import Command, Setting
from transports.document import WHOLE, Path
from transports.errors import TransportError
from transports.mock.virtual_time import run


@dataclass
class Page:
    """A sink on which everything is on record at once; or never, where it is `away`."""

    away: bool = False
    entries: list[Entry] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)

    def put(self, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries)

    async def settled(self, ticket: int, seconds: float) -> bool:
        self.asked.append(seconds)
        if self.away:
            await asyncio.sleep(seconds)
        return not self.away


def recorded(rehearsal: Rehearsal, page: Page, redactor: Redactor | None = None) -> Recorded:
    redactor = redactor or Redactor([rehearsal.endpoint("exp1").password])
    notebook = Notebook("job-1", page, redactor, rehearsal.clock)
    return Recorded(mock.create(rehearsal.endpoint("exp1")), "exp1", notebook)


def test_both_directions_of_an_exchange_are_told_with_step_time_and_outcome() -> None:
    async def story() -> None:
        page = Page()
        transport = recorded(Rehearsal(), page)
        UNDER_WAY.set(UnderWay("look-exp1"))
        await transport.read_configuration(Path.parse("SystemUnit Name"))
        sent, received = page.entries
        assert (sent.direction, sent.text) == ("sent", "xConfiguration SystemUnit Name")
        assert received.direction == "received"
        assert received.text.startswith("SystemUnit Name: exp1")
        assert (received.outcome, received.peer_id, received.step) == ("ok", "exp1", "look-exp1")
        assert sent.exchange == received.exchange == 1
        assert received.duration_ms is not None
        assert received.duration_ms >= 0
        assert page.asked == []  # a look waits for nothing

    run(story())


def test_what_went_wrong_is_an_outcome_with_its_words() -> None:
    async def story() -> None:
        page, rehearsal = Page(), Rehearsal()
        transport = recorded(rehearsal, page)
        rehearsal.fleet["exp1"].lose_power()
        with pytest.raises(TransportError):
            await transport.read_status(WHOLE)
        assert page.entries[-1].outcome == "peer-unreachable"
        assert page.entries[-1].text.startswith("Unreachable: ")

    run(story())


def test_an_exchange_that_is_cancelled_is_told_as_interrupted() -> None:
    async def story() -> None:
        page = Page()

        class Hanging:
            name = "mock"
            capabilities = frozenset()

            async def run(self, command: Command) -> None:
                await asyncio.Event().wait()

        notebook = Notebook("job-1", page, Redactor(), SystemClock())
        task = asyncio.create_task(Recorded(Hanging(), "exp1", notebook).run(Command("Boot")))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait({task})
        assert [entry.outcome for entry in page.entries] == ["", transcript.INTERRUPTED]

    run(story())


def test_an_act_is_on_record_before_it_is_sent_and_is_not_held_up_for_long() -> None:
    async def story(*, away: bool) -> None:
        page, rehearsal = Page(away=away), Rehearsal()
        transport = recorded(rehearsal, page)
        loop = asyncio.get_running_loop()
        before = loop.time()
        await transport.write([Setting.of("SystemUnit Name", "other")])
        assert page.asked == [transcript.PATIENCE]
        assert loop.time() - before < (1.5 if away else 0.9)
        assert rehearsal.fleet["exp1"].configuration.get("SystemUnit Name") == "other"

    run(story(away=False))
    run(story(away=True))


def test_a_worker_whose_lease_went_while_it_waited_sends_nothing() -> None:
    async def story() -> None:
        page, rehearsal = Page(away=True), Rehearsal()
        transport = recorded(rehearsal, page)

        def lost() -> None:
            raise LeaseLost("too old")

        UNDER_WAY.set(UnderWay("name-exp1", lost))
        with pytest.raises(LeaseLost):
            await transport.write([Setting.of("SystemUnit Name", "other")])
        assert page.entries[-1].outcome == transcript.NOT_SENT
        assert rehearsal.fleet["exp1"].configuration.get("SystemUnit Name") == "exp1"

    run(story())


def test_no_secret_gets_into_a_transcript() -> None:
    async def story() -> None:
        page, rehearsal = Page(), Rehearsal()
        redactor = Redactor()
        transport = recorded(rehearsal, page, redactor)

        async def write(piece: bytes) -> None:
            """Where the backup goes is no matter here."""

        secrets = (KEY, "backup-canary-99")
        await transport.perform(SetPreSharedKey(KEY))
        await transport.perform(CreateBackup(write, "backup-canary-99"))
        page.entries.append(page.entries[0])
        notebook = transport._notebook
        exchange = notebook.begin("exp1", "ssh", f"echo {KEY}")
        exchange.ended(f"it was backup-canary-99 and {KEY}")
        said = "\n".join(entry.text for entry in page.entries)
        assert "SetPreSharedKey()" in said
        for secret in secrets:
            assert secret not in said

    run(story())


@pytest.mark.parametrize(
    "told",
    [
        wording.write_words("ssh", [Setting.of("Login Remote LDAP BindPassword", "canary")]),
        wording.write_words("http", [Setting.of("SNMP CommunityName", "canary")]),
        wording.command_words("ssh", Command("AdminAccountAdd", {"Password": "canary"})),
        wording.command_words("http", Command("AdminAccountAdd", {"Password": "canary"})),
        wording.operation_words(SetPreSharedKey("canary")),
    ],
)
def test_a_value_with_a_secret_name_is_left_out(told: str) -> None:
    assert "canary" not in told


def test_a_long_reply_is_cut_with_a_mark_and_the_digest_of_the_whole() -> None:
    page = Page()
    notebook = Notebook("job-1", page, Redactor(["hidden-word"]), SystemClock())
    whole = "x" * LONGEST_TEXT + " hidden-word"
    notebook.begin("exp1", "ssh", "xStatus").ended(whole)
    kept = page.entries[-1]
    shown = whole.replace("hidden-word", "[redacted]")
    assert kept.text == f"{shown[:LONGEST_TEXT]}\n[cut here: {len(shown)} characters in all]"
    assert kept.digest == hashlib.sha256(shown.encode()).hexdigest()


def test_the_same_reply_again_is_told_by_its_digest() -> None:
    page = Page()
    notebook = Notebook("job-1", page, Redactor(), SystemClock())
    for reply in ("y" * 500, "y" * 500, "z" * 500):
        notebook.begin("exp1", "ssh", "xStatus").ended(reply)
    first, second, third = page.entries[1::2]
    assert second.text == f"[the same reply as before: {first.digest}]"
    assert second.digest == first.digest
    assert third.text == "z" * 500


@dataclass
class Rows:
    """Where a writer puts entries; `down` many calls fail first."""

    down: int = 0
    kept: list[Entry] = field(default_factory=list)
    writes: int = 0
    hold: asyncio.Event | None = None

    async def append(self, entries: Sequence[Entry]) -> None:
        self.writes += 1
        if self.hold is not None:
            await self.hold.wait()
        if self.down:
            self.down -= 1
            raise JournalDown("away")
        self.kept.extend(entries)


def test_entries_gather_while_a_write_is_under_way_and_none_is_lost() -> None:
    async def story() -> None:
        rows = Rows(down=2, hold=asyncio.Event())
        writer = TranscriptWriter(rows)
        running = asyncio.create_task(writer.run())
        notebook = Notebook("job-1", writer, Redactor(), SystemClock())
        for number in range(20):
            notebook.begin("exp1", "ssh", f"xStatus {number}").ended("reply")
            await asyncio.sleep(0)
        assert not await notebook.settled(0.1)
        rows.hold.set()
        assert await notebook.settled(5)
        assert [entry.number for entry in rows.kept] == list(range(1, 41))
        assert rows.writes <= 5
        running.cancel()
        await asyncio.wait({running})

    run(story())


def test_entries_for_which_there_is_no_room_are_counted() -> None:
    async def story() -> None:
        rows = Rows(hold=asyncio.Event())
        writer = TranscriptWriter(rows, most_waiting=100)
        running = asyncio.create_task(writer.run())
        notebook = Notebook("job-1", writer, Redactor(), SystemClock())
        exchange = notebook.begin("exp1", "ssh", "a" * 90)
        exchange.ended("b" * 90)
        exchange.ended("b" * 90)
        rows.hold.set()
        assert await notebook.settled(5)
        exchange.ended("c")
        assert await notebook.settled(5)
        outcomes = [(entry.number, entry.outcome) for entry in rows.kept]
        assert outcomes == [(1, ""), (3, LEFT_OUT), (4, "ok")]
        assert rows.kept[1].text.startswith("[2 entries were left out")
        running.cancel()
        await asyncio.wait({running})

    run(story())


def test_what_waits_is_written_when_the_process_ends() -> None:
    async def story() -> None:
        rows = Rows()
        writer = TranscriptWriter(rows)
        running = asyncio.create_task(writer.run())
        await asyncio.sleep(0)
        Notebook("job-1", writer, Redactor(), SystemClock()).begin("exp1", "ssh", "xStatus")
        running.cancel()
        await asyncio.wait({running})
        assert len(rows.kept) == 1

    run(story())
