"""Backup, installation, factory reset and purge in the root shell."""

from __future__ import annotations

import hashlib
import itertools
import random

import pytest

from tests.unit.ssh.hostile_server import saying, serving, transport_to
from tests.unit.ssh.root_server import Process, root_serving, rooted
from transports import errors
from transports.base import (
    BackupReceipt,
    Capability,
    CreateBackup,
    FactoryReset,
    InstallSoftware,
    PurgeClusterDatabase,
)

pytestmark = pytest.mark.sockets

ARCHIVE = b"\x1f\x8b" + random.Random(1).randbytes(300_000)  # test data
WISH = FactoryReset(
    keep_option_keys=True,
    keep_ip_configuration=True,
    keep_ssh_keys=False,
    keep_passwords=True,
    save_log_files=False,
    replace_hard_disk=False,
)
QUESTIONS = {
    "Keep option keys": b"YES",
    "Keep IP configuration": b"YES",
    "Keep SSH keys": b"NO",
    "Keep root and admin passwords": b"YES",
    "Save log files": b"NO",
    "Replace hard disk": b"NO",
}
SURE = "Are you sure you want to continue"


class Kept:
    def __init__(self) -> None:
        self.data = b""

    async def write(self, piece: bytes) -> None:
        self.data += piece


async def pieces():
    for start in range(0, len(ARCHIVE), 70_000):
        yield ARCHIVE[start : start + 70_000]


INSTALL = InstallSoftware("s42700x8_2_2.tar.gz", pieces)


async def test_a_backup_is_fetched_from_where_the_appliance_put_it(tmp_path):
    name = "X8.2_017DB2D0_2026-01-05_08_00_backup.tar.gz"

    async def backup(process: Process) -> None:
        typed.append(await process.stdin.read())
        (tmp_path / "tmp" / name).write_bytes(ARCHIVE)
        process.stdout.write(f"Creating backup...\nBackup written to /tmp/{name}\n".encode())

    typed: list[bytes] = []
    kept = Kept()
    async with root_serving(tmp_path, backup=backup) as server:
        transport = rooted(server)
        receipt = await transport.perform(CreateBackup(kept.write, password="key of the backup"))
        assert receipt == BackupReceipt(name, len(ARCHIVE), hashlib.sha256(ARCHIVE).hexdigest())
        assert kept.data == ARCHIVE
        assert typed == [b"key of the backup\n"]
        assert not any("key of the backup" in command for command in server.seen)
        assert server.log_ins == ["root"]


async def test_a_backup_on_standard_output_is_taken_from_there(tmp_path):
    async def backup(process: Process) -> None:
        process.stdout.write(ARCHIVE)

    kept = Kept()
    async with root_serving(tmp_path, backup=backup) as server:
        receipt = await rooted(server).perform(CreateBackup(kept.write))
        assert (kept.data, receipt.size) == (ARCHIVE, len(ARCHIVE))


@pytest.mark.parametrize(
    ("text", "status", "error"),
    [
        (b"done\n", 0, errors.Garbled),
        (b"written to /tmp/none_backup.tar.gz\n", 0, errors.TransportError),
        (b"disk full\n", 1, errors.CommandRejected),
        (b"", 0, errors.Garbled),
    ],
)
async def test_a_backup_that_is_not_there_is_never_a_success(tmp_path, text, status, error):
    async def backup(process: Process) -> int:
        process.stdout.write(text)
        return status

    async with root_serving(tmp_path, backup=backup) as server:
        with pytest.raises(error):
            await rooted(server).perform(CreateBackup(Kept().write))


async def test_a_backup_that_hangs_ends_at_the_limit(tmp_path):
    async def backup(process: Process) -> None:
        process.stdout.write(b"working\n")
        await process.stdin.read()
        await process.wait_closed()

    async with root_serving(tmp_path, backup=backup) as server:
        with pytest.raises(errors.ReplyTimeout):
            await rooted(server, transfer=0.2).perform(CreateBackup(Kept().write))


async def test_a_session_that_dies_during_a_backup_is_lost(tmp_path):
    async def backup(process: Process) -> None:
        process.stdout.write(ARCHIVE[:1000])
        await process.stdout.drain()
        server.connections[-1].abort()

    async with root_serving(tmp_path, backup=backup) as server:
        with pytest.raises(errors.TransportError) as caught:
            await rooted(server).perform(CreateBackup(Kept().write))
        assert isinstance(caught.value, errors.ConnectionLost)


def listing_of(disk, *answers: bytes):
    """What `ls` says: first `answers[0]`, and once the image is in place the next ones."""
    rest = iter(answers[1:])
    last = [answers[0]]

    async def listing(process: Process) -> None:
        if (disk / "tmp/tandberg-image.tar.gz").exists():
            last[0] = next(rest, last[0])
        process.stdout.write(last[0])

    return listing


NOTHING = b"ls: cannot access '/tmp/install*': No such file or directory\n"
OLD_OK = b"-rw-r--r-- 1 root root 0 Jan  4 08:00 /tmp/install-ok\n"
NEW_OK = b"-rw-r--r-- 1 root root 0 Jan  5 09:12 /tmp/install-ok\n"
RUNNING = b"-rw-r--r-- 1 root root 0 Jan  5 09:10 /tmp/install-progress\n"
FAILED = b"-rw-r--r-- 1 root root 0 Jan  5 09:12 /tmp/install-failed\n"


async def test_an_image_gets_its_final_name_only_when_it_is_whole(tmp_path):
    listing = listing_of(tmp_path, NOTHING, NOTHING, RUNNING, RUNNING, NEW_OK)
    async with root_serving(tmp_path, listing=listing) as server:
        await rooted(server).perform(INSTALL)
        assert (tmp_path / "tmp/tandberg-image.tar.gz").read_bytes() == ARCHIVE
        assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["tandberg-image.tar.gz"]
        moves = [command for command in server.seen if command.startswith("mv ")]
        assert len(moves) == 1
        assert moves[0].endswith(" /tmp/tandberg-image.tar.gz")


async def test_the_mark_of_an_earlier_installation_is_not_believed(tmp_path):
    listing = listing_of(tmp_path, OLD_OK, OLD_OK, OLD_OK)
    async with root_serving(tmp_path, listing=listing) as server:
        with pytest.raises(errors.ReplyTimeout):
            await rooted(server, transfer=0.5).perform(INSTALL)


async def test_a_failed_installation_is_told(tmp_path):
    async with root_serving(tmp_path, listing=listing_of(tmp_path, OLD_OK, FAILED)) as server:
        with pytest.raises(errors.CommandRejected):
            await rooted(server).perform(INSTALL)


async def test_a_release_key_is_put_beside_the_image(tmp_path):
    operation = InstallSoftware("i.tar.gz", pieces, release_key="1234567890123456")
    async with root_serving(tmp_path, listing=listing_of(tmp_path, NOTHING, NEW_OK)) as server:
        await rooted(server).perform(operation)
        assert (tmp_path / "tmp/release-key").read_text() == "1234567890123456\n"


async def test_an_upload_that_breaks_off_starts_nothing(tmp_path):
    async def broken():
        yield b"x" * 1000
        raise RuntimeError("the disk of the service")

    async with root_serving(tmp_path, listing=listing_of(tmp_path, NOTHING)) as server:
        with pytest.raises(RuntimeError):
            await rooted(server).perform(InstallSoftware("i.tar.gz", broken))
        assert list((tmp_path / "tmp").iterdir()) == []


async def test_an_empty_image_starts_nothing(tmp_path):
    async def nothing():
        for piece in ():
            yield piece

    async with root_serving(tmp_path, listing=listing_of(tmp_path, NOTHING)) as server:
        with pytest.raises(errors.CommandRejected):
            await rooted(server).perform(InstallSoftware("i.tar.gz", nothing))
        assert list((tmp_path / "tmp").iterdir()) == []


async def test_an_image_that_cannot_be_stored_is_rejected(tmp_path):
    async with root_serving(tmp_path, listing=listing_of(tmp_path, NOTHING)) as server:
        (tmp_path / "tmp").rmdir()
        with pytest.raises(errors.CommandRejected):
            await rooted(server).perform(INSTALL)


def asking(questions, answers, *, punctuation: str = " [YES/NO]? ", echo: bool = True, end=None):
    async def reset(process: Process) -> int | None:
        process.stdout.write(b"This will reset option keys, SSH keys and more.\r\n")
        for question in questions:
            process.stdout.write(f"{question}{punctuation}".encode())
            answer = (await process.stdin.readline()).strip()
            if not answer:
                return 1
            answers[question] = answer
            if echo:
                process.stdout.write(answer + b"\r\n")
        return await end(process) if end else 0

    return reset


@pytest.mark.parametrize(
    ("seed", "punctuation", "echo"),
    list(itertools.product(range(4), (" [YES/NO]? ", ":\r\n", "?"), (True, False))),
)
async def test_the_questions_are_answered_by_their_words(tmp_path, seed, punctuation, echo):
    questions = [*QUESTIONS]
    random.Random(seed).shuffle(questions)  # a repeatable order
    answers: dict[str, bytes] = {}
    reset = asking([*questions, SURE], answers, punctuation=punctuation, echo=echo)
    async with root_serving(tmp_path, reset=reset) as server:
        await rooted(server).perform(WISH)
        assert answers == {**QUESTIONS, SURE: b"YES"}


async def test_the_session_lost_after_the_last_answer_is_how_a_reset_begins(tmp_path):
    async def cut(process: Process) -> None:
        server.connections[-1].abort()

    async with root_serving(tmp_path, reset=asking([*QUESTIONS, SURE], {}, end=cut)) as server:
        await rooted(server).perform(WISH)


@pytest.mark.parametrize(
    ("questions", "error"),
    [
        ([*QUESTIONS, "Keep FIPS140 configuration", SURE], errors.NotSupported),
        ([*list(QUESTIONS)[:4], SURE], errors.Garbled),
        ([SURE, *QUESTIONS], errors.Garbled),
        (["Keep option keys", *QUESTIONS, SURE], errors.Garbled),
        ([*QUESTIONS], errors.ConnectionLost),
    ],
)
async def test_questions_that_are_not_as_known_never_start_the_reset(tmp_path, questions, error):
    answers: dict[str, bytes] = {}
    async with root_serving(tmp_path, reset=asking(questions, answers)) as server:
        with pytest.raises(error):
            await rooted(server).perform(WISH)
        assert SURE not in answers


async def test_a_reset_that_is_declined_is_told(tmp_path):
    async def decline(process: Process) -> int:
        process.stdout.write(b"rk is missing\r\n")
        return 3

    async with root_serving(tmp_path, reset=asking([*QUESTIONS, SURE], {}, end=decline)) as server:
        with pytest.raises(errors.CommandRejected):
            await rooted(server).perform(WISH)


async def test_the_cluster_database_is_purged_or_it_is_told_that_it_was_not(tmp_path):
    statuses = iter([0, 1])

    async def purge(process: Process) -> int:
        return next(statuses)

    async with root_serving(tmp_path, purge=purge) as server:
        await rooted(server).perform(PurgeClusterDatabase("SR 1"))
        with pytest.raises(errors.CommandRejected):
            await rooted(server).perform(PurgeClusterDatabase("SR 1"))


async def test_a_wrong_root_password_is_sent_once(tmp_path):
    async with root_serving(tmp_path) as server:
        transport = rooted(server, password="wrong")
        for _ in range(3):
            with pytest.raises(errors.AuthenticationFailed) as declined:
                await transport.perform(PurgeClusterDatabase("SR 1"))
            assert declined.value.account == "root"
        assert server.log_ins == ["root"]


async def test_without_the_grant_root_is_not_even_asked_for():
    async with serving(saying(b"OK\r\n")) as server:
        transport = transport_to(server, root_password="known but not granted")
        assert Capability.BACKUP not in transport.capabilities
        for operation in (WISH, INSTALL, CreateBackup(Kept().write), PurgeClusterDatabase("SR 1")):
            with pytest.raises(errors.NotSupported):
                await transport.perform(operation)
        assert server.connections == 0
