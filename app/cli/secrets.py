"""Asking for a secret: hidden at a terminal, else the first line of stdin; never an argument.

An argument would stand in the shell's history and in the list of processes.
"""

from __future__ import annotations

import getpass
import sys

from app.cli.exits import misused

LONGEST = 4096


def ask(what: str, *, twice: bool = False) -> str:
    """The secret. Raises Stopped where none comes."""
    if sys.stdin is not None and sys.stdin.isatty():
        secret = getpass.getpass(f"{what}: ")
        if twice and getpass.getpass(f"{what}, again: ") != secret:
            raise misused("the two were not the same; nothing was stored")
    else:
        secret = sys.stdin.readline(LONGEST).rstrip("\r\n") if sys.stdin is not None else ""
    if not secret:
        raise misused(f"no {what} came on stdin")
    return secret
