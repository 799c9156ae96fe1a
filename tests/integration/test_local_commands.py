"""What commands on the service's own machine do, say and end with: retention, audit, evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from app.cli.main import app
from app.storage.database import plain_url
from tests.support.engine_bench import new_job, step
from tests.support.journals import register

pytestmark = pytest.mark.postgres
NOWHERE = "postgresql://somebody:secret-word@127.0.0.1:1/clusterway"


Said = Callable[..., tuple[str, str]]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """What a command printed, to each side; it ended with that exit code."""

    def run(url: str, *arguments: str, code: int = 0, **environment: str) -> tuple[str, str]:
        settings = {
            "CLUSTERWAY_DATA_FOLDER": str(tmp_path / "data"),
            "CLUSTERWAY_DATABASE_URL": url,
            **environment,
        }
        ended = CliRunner().invoke(app, arguments, env=settings)
        assert ended.exit_code == code, ended.output
        assert ended.exception is None or isinstance(ended.exception, SystemExit)
        return ended.stdout, ended.stderr

    return run


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def counted(printed: str, word: str) -> dict[str, int]:
    found = {}
    for line in printed.splitlines():
        kind, number, rest = line.split(maxsplit=2)
        assert rest == word
        found[kind] = int(number)
    return found


@pytest.mark.parametrize("command", ["retention", "audit verify", "evidence rotate-key"])
def test_a_database_that_does_not_answer_ends_each_in_a_line(said: Said, command: str) -> None:
    out, errors = said(NOWHERE, *command.split(), code=2)
    assert out == ""
    assert errors.startswith("clusterway: the database of CLUSTERWAY_DATABASE_URL cannot be used")
    assert len(errors.splitlines()) == 1
    assert "secret-word" not in errors


def test_retention_says_beforehand_what_it_then_takes_away(said: Said, database_url: str) -> None:
    asyncio.run(register(database_url, new_job(step("a"))))
    plans = "select count(*) from plan"
    out, _ = said(database_url, "retention", "--dry-run")
    assert set(counted(out, "would go").values()) == {0}
    rows(database_url, "update plan set created_at = '2020-01-01', expires_at = '2020-01-02'")
    for _ in range(2):
        out, _ = said(database_url, "retention", "--dry-run")
        assert counted(out, "would go")["plans"] == 1
        assert rows(database_url, plans) == [(1,)]
    out, _ = said(database_url, "retention")
    assert counted(out, "gone")["plans"] == 1
    assert rows(database_url, plans) == [(0,)]
    out, _ = said(database_url, "retention")
    assert set(counted(out, "gone").values()) == {0}


def test_retention_is_refused_with_an_age_that_is_none(said: Said, database_url: str) -> None:
    _, errors = said(database_url, "retention", code=2, CLUSTERWAY_PLAN_RETENTION="for ever")
    assert errors.startswith("clusterway: CLUSTERWAY_PLAN_RETENTION: ")
    _, errors = said(database_url, "retention", "everything", code=2)
    assert "unexpected extra argument" in errors


def test_the_audit_trail_is_followed_and_a_printed_row_expected_later(
    said: Said, database_url: str
) -> None:
    def verify(*expected: str, code: int = 0) -> str:
        options = [word for row in expected for word in ("--expect", row)]
        out, errors = said(database_url, "audit", "verify", *options, code=code)
        return (out if code == 0 else errors).strip()

    whole = "the audit trail is whole: "
    assert verify() == f"{whole}0:empty"
    said(database_url, "keys", "create", "first")
    first = verify().removeprefix(whole)
    assert first.startswith("1:")
    said(database_url, "keys", "create", "second")
    assert verify(first).startswith(f"{whole}2:")
    assert verify("0:empty").startswith(f"{whole}2:")
    other = f"1:{'0' * 64}"
    assert verify(other, code=1) == "row 1 is not the one that was printed before"
    assert "row 9 is not" in verify(f"9:{'0' * 64}", code=1)
    rows(
        database_url,
        "alter table audit disable trigger all; "
        "update audit set actor_name = 'Mallory' where seq = 1",
    )
    assert verify(code=1).startswith("the audit trail is broken at row 1: ")


@pytest.mark.parametrize("given", ["7", "", "one:abc", f"{'9' * 30}:{'0' * 64}", "1:\x1b[2J"])
def test_what_was_never_printed_cannot_be_expected_of_the_audit_trail(
    said: Said, given: str
) -> None:
    """Nor is the database asked: this one is not there."""
    _, errors = said(NOWHERE, "audit", "verify", "--expect", given, code=2)
    assert "not a NUMBER:HASH that was printed" in errors
    assert "\x1b" not in errors


def test_a_new_key_signs_from_now_on_and_older_ones_stay(said: Said, database_url: str) -> None:
    keys = []
    for _ in range(2):
        out, _ = said(database_url, "evidence", "rotate-key")
        keys.append(out.split("with key ")[1].split()[0])
    assert keys[0] != keys[1]
    found = rows(database_url, "select id from evidence_key order by created_at")
    assert [key for (key,) in found] == keys
