"""What a person sees who starts the service wrongly: one plain line, exit code 2, no traceback."""

import asyncio
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from pydantic import SecretStr

from app.main import open_service
from app.security.redaction import Redactor
from app.services.records import CredentialKind
from app.settings import Settings


def serve(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return clusterway(tmp_path, "serve", *arguments, **environment)


def clusterway(
    tmp_path: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "CLUSTERWAY_DATA_FOLDER": str(tmp_path / "data"), **environment},
    )


def printed_in(page: str, command: str) -> list[list[str]]:
    """The commands of a page that begin so, as words behind `clusterway`."""
    lines = (Path(__file__).parents[2] / page).read_text(encoding="utf-8").splitlines()
    return [
        shlex.split(line, comments=True)[1:] for line in lines if line.startswith(f"    {command}")
    ]


def test_a_setting_that_is_no_number_is_named(tmp_path):
    ended = serve(tmp_path, CLUSTERWAY_PACE="fast")
    assert ended.returncode == 2
    assert ended.stderr.startswith("clusterway: CLUSTERWAY_PACE: ")


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path):
    url = "postgresql://somebody:secret-word@127.0.0.1:1/clusterway"
    ended = serve(tmp_path, "--port", "0", CLUSTERWAY_DATABASE_URL=url)
    assert ended.returncode == 2
    assert "CLUSTERWAY_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret-word" not in ended.stderr + ended.stdout


def test_a_port_that_is_taken_is_named_before_anything_is_started(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ended = serve(tmp_path, "--port", str(other.getsockname()[1]))
    assert ended.returncode == 2
    assert "cannot listen on 127.0.0.1" in ended.stderr
    assert not (tmp_path / "data").exists()


def test_a_key_file_that_others_may_read_is_refused(tmp_path, database_url):
    keys = tmp_path / "vault.keys"
    keys.write_text("k1:" + "A" * 43 + "=\n", encoding="ascii")
    keys.chmod(0o644)
    ended = serve(
        tmp_path,
        "--port",
        "0",
        CLUSTERWAY_DATABASE_URL=database_url,
        CLUSTERWAY_KEY_FILE=str(keys),
    )
    assert ended.returncode == 2
    assert "chmod 600" in ended.stderr


def test_a_key_limited_by_labels_is_made_and_shown_on_the_machine(tmp_path, database_url):
    def keys(*arguments):
        return clusterway(tmp_path, "keys", *arguments, CLUSTERWAY_DATABASE_URL=database_url)

    (printed,) = printed_in("docs/access.md", "clusterway keys")
    assert clusterway(tmp_path, *printed, CLUSTERWAY_DATABASE_URL=database_url).returncode == 0
    made = keys("create", "voice", "--label", "team=voice", "--label", "site=berlin")
    assert made.returncode == 0, made.stderr
    assert "site=berlin, team=voice" in keys("list").stdout
    for wrong in (("team",), ("=x",), ("team=a\nb",), ("team=a", "team=b")):
        refused = keys("create", "x", *(part for one in wrong for part in ("--label", one)))
        assert refused.returncode == 2, wrong
        assert "Traceback" not in refused.stderr


async def test_the_key_of_the_vault_is_changed_beside_a_running_service(tmp_path, database_url):
    def vault(*arguments):
        return clusterway(tmp_path, "vault", *arguments, CLUSTERWAY_DATABASE_URL=database_url)

    assert printed_in("docs/vault.md", "clusterway vault") == [
        ["vault", "new-key"],
        ["vault", "rewrap"],
        ["vault", "list"],
        ["vault", "retire", "k1"],
    ]
    settings = Settings(database_url=SecretStr(database_url), data_folder=tmp_path / "data")
    async with open_service(settings, Redactor()) as service:
        keep = service.services.credentials.create
        made = await keep("one", CredentialKind.PASSWORD, "admin", "first secret", None)
        new = await asyncio.to_thread(vault, "new-key")
        assert new.returncode == 0, new.stderr
        key, _, said = new.stdout.partition(" ")
        assert "clusterway vault rewrap" in said
        early = await asyncio.to_thread(vault, "retire", "k1")
        assert (early.returncode, "1 credentials" in early.stderr) == (1, True)
        done = await asyncio.to_thread(vault, "rewrap")
        assert done.returncode == 0, done.stderr
        assert "credentials: 1 moved" in done.stdout
        assert (await asyncio.to_thread(vault, "retire", "k1")).returncode == 0
        # The process that was running all the time.
        context = made.value.context(made.value.id)
        stored = await service.services.credentials.get(made.value.id)
        assert service.vault.open(stored.sealed, context) == b"first secret"
        await keep("two", CredentialKind.PASSWORD, "admin", "second secret", None)
    shown = vault("list")
    assert [line.split()[:2] for line in shown.stdout.splitlines()[1:]] == [[key, "2"]]
    for wrong, code in ((("retire", "k1"), 2), (("retire", key), 1), (("retire",), 2)):
        refused = vault(*wrong)
        assert refused.returncode == code, (wrong, refused)
        assert "Traceback" not in refused.stderr
    for secret in ("first secret", "second secret"):
        assert secret not in shown.stdout + done.stdout + done.stderr


def test_who_is_locked_out_gets_back_in_on_the_machine_itself(tmp_path, database_url):
    def keys(*arguments):
        return clusterway(tmp_path, "keys", *arguments, CLUSTERWAY_DATABASE_URL=database_url)

    made = keys("create", "way back in")
    assert made.returncode == 0, made.stderr
    key_id, _, text = made.stdout.partition(", shown only now: ")
    assert text.startswith("cwk_")
    listed = keys("list")
    assert key_id in listed.stdout
    assert text.strip() not in listed.stdout
    assert keys("revoke", key_id).returncode == 0
    assert key_id not in keys("list").stdout
    unknown = keys("revoke", key_id)
    assert unknown.returncode == 1
    assert "no key" in unknown.stderr
    assert "Traceback" not in unknown.stderr
