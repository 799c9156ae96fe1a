"""What reaches a terminal, a pipe and `jq`."""

from __future__ import annotations

import asyncio
import os
import pty
import shutil
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from app.cli.output import Output, complain, plain
from tests.cli.conftest import CLUSTER, OpenStand

HOSTILE = "exp1\x1b]0;owned\x07 [bold red]x[/] \x9b31m"


def test_what_others_wrote_cannot_steer_the_terminal_or_pass_for_markup(capsys):
    for terminal in (True, False):
        written = StringIO()
        console = Console(file=written, force_terminal=terminal, color_system=None, width=200)
        out = Output(False, console)
        out.table(("name",), [(HOSTILE,)])
        out.facts([("name", HOSTILE)])
        out.line(HOSTILE)
        said = written.getvalue()
        assert said.count("\\x1b]0;owned\\x07 [bold red]x[/] \\x9b31m") == 3, said
        assert "\x1b]" not in said
        assert "\x9b" not in said
    complain(HOSTILE)
    assert "\x1b" not in capsys.readouterr().err
    assert plain("two\nlines\tand a tab") == "two\nlines\tand a tab"


def test_without_a_terminal_nothing_is_wrapped_or_shortened():
    written = StringIO()
    out = Output(False, Console(file=written, width=20))
    out.table(("id", "note"), [("a" * 90, "two\nlines"), ("b", "")])
    first, second, third = written.getvalue().splitlines()
    assert first == "id".ljust(92) + "note"
    assert second == "a" * 90 + "  two lines"
    assert third == "b"


@pytest.mark.postgres
@pytest.mark.sockets
async def test_json_goes_into_jq_and_tables_onto_a_terminal(open_stand: OpenStand):
    if shutil.which("jq") is None:
        pytest.skip("no jq on this machine")
    async with open_stand() as stand:
        await stand.ann.does("clusters", "declare", CLUSTER, "--label", "site=berlin")
        line = f"{sys.executable} -m app.cli clusters list --json | jq -r '.items[].name'"
        piped = await asyncio.create_subprocess_shell(
            line, env={**os.environ, **stand.ann.surroundings}, stdout=subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(piped.communicate(), 60)
        assert out.decode() == f"{CLUSTER}\n"

        ours, theirs = pty.openpty()
        async with stand.ann.process("clusters", "list", stdout=theirs) as shown:
            os.close(theirs)
            assert await asyncio.wait_for(shown.wait(), 60) == 0
        drawn = os.read(ours, 65536).decode()
        os.close(ours)
        assert "site=berlin" in drawn
        assert "─" in drawn, "a table is drawn on a terminal"
        completed = {**stand.ann.surroundings, "_CLUSTERWAY_COMPLETE": "complete_bash",
                     "COMP_WORDS": "clusterway clusters show clus", "COMP_CWORD": "3"}  # fmt: skip
        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from app.cli.main import app; app(prog_name='clusterway')",
            env={**os.environ, **completed}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(asked.communicate(), 60)
        assert out.decode().split() == [CLUSTER], err
