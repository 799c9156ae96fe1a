"""The private PostgreSQL: shared, recovered, and clear about what is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from pathlib import Path
from urllib.parse import unquote

import psycopg
import pytest

from app.storage import embedded, embedded_files
from app.storage.embedded import EmbeddedPostgres
from app.storage.embedded_user import EmbeddedPostgresError

pytestmark = pytest.mark.postgres
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")


async def ask(url: str, query: str) -> object:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute(query.encode())).fetchone()
        return row[0] if row else None


async def started_at(url: str) -> object:
    return await ask(url, "select pg_postmaster_start_time()")


def mode(folder: Path) -> int | None:
    return stat.S_IMODE(folder.stat().st_mode) if folder.exists() else None


def pid_of(folder: Path) -> int:
    return int((folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


async def test_two_services_share_one_server_and_the_last_stops_it(open_folder: Path) -> None:
    first, second = EmbeddedPostgres(open_folder), EmbeddedPostgres(open_folder)
    url = await first.__aenter__()
    pid = pid_of(open_folder)
    assert await second.__aenter__() == url
    assert pid_of(open_folder) == pid
    assert os.getsid(pid) != os.getsid(0), "Ctrl-C here would reach the server"
    assert await ask(url, "select current_setting('fsync')") == "on"
    await first.__aexit__(None, None, None)
    assert await ask(url, "select 1") == 1
    await second.__aexit__(None, None, None)
    with pytest.raises(psycopg.OperationalError):
        await ask(url, "select 1")


async def test_what_was_committed_survives_a_crash_whose_number_was_given_away(
    open_folder: Path,
) -> None:
    async with EmbeddedPostgres(open_folder) as url:
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute("create table kept as select 42 as answer")
        pid_file = open_folder / "postgres" / "data" / "postmaster.pid"
        left = pid_file.read_text()
        os.kill(pid_of(open_folder), signal.SIGKILL)
    pid_file.write_text(left.replace(left.split("\n", 1)[0], str(os.getpid()), 1))
    os.chown(pid_file, pid_file.parent.stat().st_uid, -1)
    async with EmbeddedPostgres(open_folder) as url:
        assert await ask(url, "select answer from kept") == 42


async def test_a_server_that_a_killed_service_left_behind_is_used_again(open_folder: Path) -> None:
    killed = EmbeddedPostgres(open_folder)
    began = await started_at(await killed.__aenter__())
    killed._in_use.release()  # what the kernel does for a killed process
    async with EmbeddedPostgres(open_folder) as url:
        assert await started_at(url) == began


async def test_a_deep_folder_is_no_trouble(open_folder: Path) -> None:
    deep = open_folder / ("x" * 60) / ("it's $HOME " * 6)
    async with EmbeddedPostgres(deep) as url:
        assert await ask(url, "select 1") == 1
        socket = Path(unquote(url.partition("host=")[2]))
        assert mode(socket) == 0o700
    assert mode(socket) is None


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("foreign", "is not empty and holds no PostgreSQL data"),
        ("version", "was written by PostgreSQL 9"),
        ("disk", "MB free"),
    ],
)
async def test_what_is_wrong_is_said_with_a_remedy(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch, harm: str, said: str
) -> None:
    data = open_folder / "postgres" / "data"
    if harm == "disk":
        monkeypatch.setattr(embedded, "_NEEDED_BYTES", 10**18)
    else:
        data.mkdir(parents=True)
        (data / ("PG_VERSION" if harm == "version" else "holiday.jpg")).write_text("9\n")
        os.chown(data, 65534 if os.geteuid() == 0 else -1, -1)
    with pytest.raises(EmbeddedPostgresError, match=said) as refused:
        await EmbeddedPostgres(open_folder).__aenter__()
    assert refused.value.remedy


@as_root
async def test_data_of_root_is_refused(open_folder: Path) -> None:
    (open_folder / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="refuses to run as root"):
        await EmbeddedPostgres(open_folder).__aenter__()


@as_root
async def test_no_folder_is_opened_to_others_for_the_servers_user(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, private = open_folder / "elsewhere", open_folder / "private"
    monkeypatch.setattr(embedded_files, "_ELSEWHERE", elsewhere)
    private.mkdir(mode=0o700)
    async with EmbeddedPostgres(private / "data") as url:
        assert await ask(url, "select 1") == 1
    assert mode(private) == 0o700
    assert (private / "data" / "postgres").resolve().parent == elsewhere


@as_root
async def test_programs_that_the_servers_user_cannot_read_are_copied(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.embedded_user.ServerUser.can_read", lambda *_: False)
    async with EmbeddedPostgres(open_folder) as url:
        assert await ask(url, "select 1") == 1
    assert list((open_folder / "postgres").glob("binaries-*/*/*/bin/postgres"))


async def test_a_data_folder_that_was_deleted_comes_back_empty(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where, as root, the files lie outside the folder because nobody else can enter it."""
    elsewhere = open_folder / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    monkeypatch.setattr(embedded_files, "_ELSEWHERE", elsewhere)
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "data"
    async with (
        EmbeddedPostgres(data) as url,
        await psycopg.AsyncConnection.connect(url) as connection,
    ):
        await connection.execute("create table kept as select 42 as answer")
    shutil.rmtree(data)
    async with EmbeddedPostgres(data) as url:
        assert await ask(url, "select to_regclass('kept')") is None
