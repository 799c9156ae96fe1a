"""A private PostgreSQL in the data folder, for machines where nobody runs one.

Uses the binaries of a wheel and nothing else of it: the wheel's own wrapper opens parent folders to
everybody and stops the server under the feet of other processes. The server listens on a Unix
socket in a private folder, writes durably (fsync on), lives in a session of its own so that Ctrl-C
of the service does not reach it, and is stopped when the last service that uses it leaves. One that
a crash left running is used again; one that a crash took down recovers by itself.

Layout below `<data folder>/postgres` (not writable for the server's user where we run as root):
`data/`, `log/`, `run/` (the socket), `server.conf`, `binaries-<version>/` (only where needed).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psycopg
from psycopg import sql

from app.storage.embedded_files import (
    Binaries,
    FileLock,
    claim_folder,
    find_binaries,
    private_folder,
    short_hash,
)
from app.storage.embedded_user import EmbeddedPostgresError, ServerUser, choose_user

NAME = "clusterway"
START_SECONDS = 60.0
STOP_SECONDS = 60.0
_NEEDED_BYTES = 150 * 1024 * 1024
_LONGEST_SOCKET_FOLDER = 80
"""A socket's whole path may have 107 bytes; its own name and some air take the rest."""
_POLL_SECONDS = 0.05
_LOG_LIMIT = 10 * 1024 * 1024
_CONFIGURATION = """# Written by Clusterway at every start.
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
fsync = on
full_page_writes = on
synchronous_commit = on
max_connections = 100
shared_buffers = 64MB
max_wal_size = 512MB
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_line_prefix = '%m [%p] '
"""


class EmbeddedPostgres:
    """`async with EmbeddedPostgres(folder) as url`: the URL of a running private server.

    Several processes may use one folder: they share the server, the last to leave stops it. Raises
    EmbeddedPostgresError, whose text says what to do.
    """

    def __init__(self, folder: Path, user_name: str | None = None) -> None:
        self._folder = folder.absolute()
        self._user_name = user_name
        self._home = self._folder / "postgres"
        self._in_use = FileLock(self._folder / "postgres.in-use")
        self._user: ServerUser
        self._binaries: Binaries
        self._socket: Path

    async def __aenter__(self) -> str:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"the data folder {self._folder} cannot be made: {error.strerror}",
                "Choose another with CLUSTERWAY_DATA_FOLDER, or set CLUSTERWAY_DATABASE_URL.",
            ) from None
        try:
            async with FileLock(self._folder / "postgres.lock").held(START_SECONDS):
                url = await self._started()
                await self._in_use.share(START_SECONDS)
        except BaseException:
            self._in_use.release()
            raise
        return url

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.shield(self._leave())

    async def restart(self) -> None:
        """Stop the server and start it again, under everybody's feet."""
        async with FileLock(self._folder / "postgres.lock").held(STOP_SECONDS):
            await self._stop()
            await self._start(self._user)

    async def _leave(self) -> None:
        async with FileLock(self._folder / "postgres.lock").held(STOP_SECONDS):
            self._in_use.release()
            if self._in_use.take_alone():
                try:
                    await self._stop()
                    _remove_socket_folder(self._socket, self._home)
                finally:
                    self._in_use.release()

    async def _started(self) -> str:
        user = choose_user(self._home / "data", self._user_name)
        self._home = claim_folder(self._home, user)
        data = self._home / "data"
        self._user = user
        self._binaries = await asyncio.to_thread(find_binaries, self._home, user, _written_by(data))
        socket = self._socket = self._socket_folder(user)
        url = _url(socket)
        alone = self._in_use.take_alone()
        self._in_use.release()
        if await _answers(_url(socket, "postgres")):
            await _have_database(socket)
            return url
        if not alone:
            raise EmbeddedPostgresError(
                f"another service uses {self._folder}, and its PostgreSQL does not answer here",
                "Stop the other service, or give this one its own CLUSTERWAY_DATA_FOLDER.",
            )
        await self._initialise(data, user)
        self._forget_dead_server(data, socket)
        self._configure(socket)
        await self._start(user)
        await _have_database(socket)
        return url

    def _socket_folder(self, user: ServerUser) -> Path:
        near = self._home / "run"
        if len(os.fsencode(near)) <= _LONGEST_SOCKET_FOLDER:
            return private_folder(near, user)
        return private_folder(
            Path(tempfile.gettempdir()) / f"clusterway-{user.uid}-{short_hash(self._home)}", user
        )

    async def _initialise(self, data: Path, user: ServerUser) -> None:
        if (data / "PG_VERSION").exists():
            return
        if _filled(data):
            raise EmbeddedPostgresError(
                f"{data} is not empty and holds no PostgreSQL data",
                "Move it away, or restore it from a backup.",
            )
        free = shutil.disk_usage(self._home).free
        if free < _NEEDED_BYTES:
            raise EmbeddedPostgresError(
                f"{self._home} has {free // 2**20} MB free; a new database needs "
                f"{_NEEDED_BYTES // 2**20} MB",
                "Free some space, or choose another CLUSTERWAY_DATA_FOLDER.",
            )
        fresh = self._home / "data.new"
        if fresh.exists():
            shutil.rmtree(fresh)
        private_folder(fresh, user)
        options = ["--username", NAME, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"]
        code, said = await self._run("initdb", "-D", str(fresh), *options, "--data-checksums")
        if code != 0:
            shutil.rmtree(fresh, ignore_errors=True)
            raise _explained("the database could not be created", said)
        _move_in(fresh, data)

    def _forget_dead_server(self, data: Path, socket: Path) -> None:
        """Remove what a server that is certainly gone has left: its pid file and its socket.

        PostgreSQL does so itself unless the number in them is taken, by another process or by the
        dead server that nobody has collected; both are usual after the crash of a container.
        """
        if _serves(data):
            return
        for left in (data / "postmaster.pid", *socket.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def _configure(self, socket: Path) -> None:
        text = _CONFIGURATION.format(socket=str(socket).replace("'", "''"))
        target = self._home / "server.conf"
        target.write_text(text)
        target.chmod(0o644)

    async def _start(self, user: ServerUser) -> None:
        log_folder = private_folder(self._home / "log", user)
        log_file = log_folder / "server.log"
        if log_file.exists() and log_file.stat().st_size > _LOG_LIMIT:
            log_file.replace(log_folder / "server.log.1")
        before = log_file.stat().st_size if log_file.exists() else 0
        code, said = await self._run(
            "pg_ctl", "start", "-w", "-s", "-t", f"{START_SECONDS:.0f}",
            "-l", "log/server.log", "-o", "-c config_file=server.conf",
        )  # fmt: skip
        if code != 0:
            with log_file.open("rb") as log:
                log.seek(before)
                said += log.read(8000).decode(errors="replace")
            raise _explained("PostgreSQL did not start", said)

    async def _stop(self) -> None:
        data = self._home / "data"
        if not _serves(data):
            return
        code, said = await self._run("pg_ctl", "stop", "-W", "-s", "-m", "fast")
        left = STOP_SECONDS
        while _serves(data) and left > 0:
            await asyncio.sleep(_POLL_SECONDS)
            left -= _POLL_SECONDS
        if _serves(data):
            raise _explained("PostgreSQL did not stop", said or f"exit code {code}")

    async def _run(self, program: str, *arguments: str) -> tuple[int, str]:
        """Run one of PostgreSQL's programs as the server's user: exit code and what it said.

        Its words go to a file: a pipe would be kept open by the server it starts. The data folder
        goes by the environment: pg_ctl would put an argument into a shell's hands.
        """
        data = self._home / "data"
        with tempfile.TemporaryFile() as words:
            process = await asyncio.create_subprocess_exec(
                self._binaries.folder / program,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd=self._home,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "PGDATA": str(data)},
                start_new_session=True,
                umask=0o077,
                **self._user.as_arguments(),
            )
            code = await process.wait()
            words.seek(0)
            return code, words.read(8000).decode(errors="replace")


def _url(socket: Path, database: str = NAME) -> str:
    return f"postgresql://{NAME}@/{database}?host={quote(str(socket), safe='')}"


def _written_by(data: Path) -> str | None:
    try:
        return (data / "PG_VERSION").read_text().strip()
    except OSError:
        return None


async def _answers(url: str) -> bool:
    try:
        connection = await psycopg.AsyncConnection.connect(url, connect_timeout=5)
    except psycopg.OperationalError:
        return False
    await connection.close()
    return True


async def _have_database(socket: Path) -> None:
    async with await psycopg.AsyncConnection.connect(
        _url(socket, "postgres"), autocommit=True
    ) as connection:
        found = await connection.execute("select 1 from pg_database where datname = %s", [NAME])
        if await found.fetchone() is None:
            await connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))


def _server_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _serves(data: Path) -> bool:
    pid = _server_pid(data)
    return pid is not None and _may_serve(pid, data)


def _may_serve(pid: int, data: Path) -> bool:
    """Whether a process of that number may be the server of this data; unknown counts as yes.

    A dead process that nobody has collected still has its number: in containers without an init
    process that is how every server ends.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except OSError:
        return True


def _remove_socket_folder(socket: Path, home: Path) -> None:
    """Leave nothing of ours in the machine's temporary folder."""
    if socket.parent != home:
        with contextlib.suppress(OSError):
            socket.rmdir()


def _filled(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _move_in(fresh: Path, place: Path) -> None:
    """Put a finished database in its place at one stroke: a half-made one is never found there."""
    if place.exists():
        place.rmdir()
    fresh.rename(place)


def _explained(what: str, said: str) -> EmbeddedPostgresError:
    """An error with the server's last words and a remedy that fits them."""
    last = " | ".join(line.strip() for line in said.strip().splitlines()[-4:])
    lower = said.casefold()
    if "no space left" in lower:
        remedy = "The disk is full: free some space and start again."
    elif "incompatible" in lower:
        remedy = "The data belongs to another PostgreSQL release: restore a dump into a new folder."
    elif "permission denied" in lower or "ownership" in lower:
        remedy = "The data folder must belong to the user that runs the service, with mode 0700."
    elif "lock file" in lower or "already running" in lower:
        remedy = "Another PostgreSQL uses this data folder: stop it, or choose another folder."
    elif "shared memory" in lower:
        remedy = "Give the machine or container more shared memory."
    else:
        remedy = "Read log/server.log in the data folder's postgres folder."
    return EmbeddedPostgresError(f"{what}: {last or 'no reason given'}", remedy)
