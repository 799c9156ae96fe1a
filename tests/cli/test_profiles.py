"""Keys stay with the person they belong to."""

from __future__ import annotations

import json
import stat

import pytest

from tests.cli.conftest import Person

KEY = "cwk_canary_key_text"
URL = "https://clusterway.example.com"


@pytest.fixture
def ann(tmp_path) -> Person:
    return Person(tmp_path)


async def test_a_key_is_kept_where_nobody_else_reads_it_and_shown_nowhere(ann: Person, tmp_path):
    added = await ann.types("profiles", "add", "prod", "--url", f"{URL}/", stdin=f"{KEY}\n")
    assert added.code == 0, added
    file = tmp_path / "clusterway" / "profiles.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["profiles"]["prod"] == {"url": URL, "key": KEY}
    await ann.types(
        "profiles", "add", "lab", "--url", "http://localhost:8080", "--key-env", "LAB_KEY"
    )
    listed = await ann.types("profiles", "list", "--json")
    assert [(one["name"], one["in_use"]) for one in listed.json["items"]] == [
        ("lab", False),
        ("prod", True),
    ]
    assert KEY not in added.out + added.err + listed.out + (await ann.types("profiles", "list")).out
    assert (await ann.types("profiles", "use", "lab")).code == 0
    unset = await ann.types("clusters", "list")
    assert unset.code == 2
    assert "$LAB_KEY, which is not set" in unset.err
    assert (await ann.types("profiles", "remove", "prod")).code == 0
    assert KEY not in file.read_text()
    file.chmod(0o640)
    open_to_others = await ann.types("clusters", "list")
    assert open_to_others.code == 2
    assert "chmod 600" in open_to_others.err
    file.chmod(0o600)
    file.write_text("[]")
    assert (await ann.types("profiles", "list")).code == 2


@pytest.mark.parametrize(
    ("words", "stdin", "says"),
    [
        (["--url", "clusterway.example.com"], KEY, "is not a URL"),
        (["--url", "ftp://x.example.com"], KEY, "is not a URL"),
        (["--url", URL], "", "no API key came on stdin"),
        (["--url", URL, "--key-env", "A", "--key-command", "b"], "", "not both"),
    ],
)
async def test_a_profile_that_could_not_be_used_is_not_kept(ann, tmp_path, words, stdin, says):
    ended = await ann.types("profiles", "add", "lab", *words, stdin=stdin)
    assert ended.code == 2
    assert says in ended.err
    assert list(tmp_path.iterdir()) == []


async def test_no_profile_and_an_unknown_one_say_what_to_do(ann: Person):
    none = await ann.types("clusters", "list")
    assert none.code == 2
    assert "clusterway profiles add" in none.err
    other = await ann.types("clusters", "list", "--profile", "prod")
    assert other.code == 2
    assert "no profile 'prod'" in other.err
    assert (await ann.types("profiles", "use", "prod")).code == 2


async def test_an_address_of_the_environment_never_gets_the_key_of_a_profile(ann: Person):
    await ann.types("profiles", "add", "prod", "--url", "http://127.0.0.1:1", stdin=f"{KEY}\n")
    ann.environment["CLUSTERWAY_URL"] = "http://127.0.0.1:2"
    ended = await ann.types("clusters", "list")
    assert ended.code == 4
    assert "http://127.0.0.1:1 does not answer" in ended.err


async def test_a_key_may_come_from_a_command_that_is_run_without_a_shell(ann: Person):
    add = ("profiles", "add", "vault", "--url", "http://127.0.0.1:1")
    await ann.types(*add, "--key-command", f"echo {KEY}")
    assert (await ann.types("clusters", "list")).code == 4, "it had a key and found nobody there"
    for command, says in (("false", "exit code 1"), ("no-such-program", "cannot be run")):
        await ann.types(*add, "--key-command", command)
        ended = await ann.types("clusters", "list")
        assert ended.code == 2
        assert says in ended.err
    await ann.types(*add, "--key-command", "echo one; echo $HOME")
    ended = await ann.types("clusters", "list")
    assert "cannot be used" in ended.err or ended.code == 4


async def test_a_key_over_an_open_network_is_warned_of(ann: Person):
    ended = await ann.types("profiles", "add", "x", "--url", "http://cw.example.com", stdin=KEY)
    assert ended.code == 0
    assert "not encrypted" in ended.err
