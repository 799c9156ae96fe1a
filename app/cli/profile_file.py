"""Where a person's services and keys are kept: one file that nobody else can read.

The file lies under XDG_CONFIG_HOME and has mode 0600; one that others may read is refused, as ssh
refuses such a key. A profile holds its key itself, or says where to take it from at each use: an
environment variable, or a command such as a password manager's.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.cli.exits import misused

OTHERS = 0o077
COMMAND_SECONDS = 60
DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Profile:
    """One service and one key to it; exactly one of the three ways to the key is set."""

    url: str
    key: str = field(default="", repr=False)
    key_env: str = ""
    key_command: str = ""

    @property
    def key_from(self) -> str:
        """Where the key comes from, without showing it."""
        if self.key_env:
            return f"${self.key_env}"
        return self.key_command or "this file"

    def read_key(self) -> str:
        """The key itself. Raises Stopped where it is not to be had."""
        if self.key:
            return self.key
        if self.key_env:
            found = os.environ.get(self.key_env, "").strip()
            if not found:
                raise misused(f"the profile takes its key from ${self.key_env}, which is not set")
            return found
        return _said_by(self.key_command)


@dataclass
class Profiles:
    """All profiles and the one in use."""

    current: str = ""
    by_name: dict[str, Profile] = field(default_factory=dict)


def path() -> Path:
    """Where the profiles lie."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "clusterway" / "profiles.json"


def load() -> Profiles:
    """The profiles of this person; none where there is no file. Raises Stopped."""
    file = path()
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return Profiles()
    if mode & OTHERS:
        raise misused(
            f"{file} holds keys and others may read it: chmod 600 {shlex.quote(str(file))}"
        )
    try:
        return _profiles(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise misused(f"{file} cannot be read as profiles: {error}") from error


def save(profiles: Profiles) -> None:
    """Whole or not at all, readable by this person only."""
    file = path()
    document = {
        "current": profiles.current,
        "profiles": {name: _kept(profile) for name, profile in profiles.by_name.items()},
    }
    aside = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:  # noqa: PTH123
            json.dump(document, output, indent=2)
        aside.replace(file)
    except OSError as error:
        raise misused(f"{file} cannot be written: {error.strerror}") from error


def chosen(name: str) -> Profile:
    """The profile of this name, else of the environment, else the one in use. Raises Stopped.

    An address and a key of the environment go together: a key is never sent to the address of
    something else.
    """
    name = name or os.environ.get("CLUSTERWAY_PROFILE", "")
    if not name and os.environ.get("CLUSTERWAY_API_KEY"):
        url = os.environ.get("CLUSTERWAY_URL") or DEFAULT_URL
        return Profile(url, key_env="CLUSTERWAY_API_KEY")
    profiles = load()
    name = name or profiles.current
    if not name:
        raise misused(
            "which service? Add one with `clusterway profiles add NAME --url URL`, or set"
            " CLUSTERWAY_URL and CLUSTERWAY_API_KEY"
        )
    if name not in profiles.by_name:
        known = ", ".join(sorted(profiles.by_name)) or "none"
        raise misused(f"there is no profile {name!r}; known: {known}")
    return profiles.by_name[name]


def _profiles(document: Mapping[str, Any]) -> Profiles:
    entries = document["profiles"].items()
    found = {str(name): Profile(**entry) for name, entry in entries}
    return Profiles(str(document["current"]), found)


def _kept(profile: Profile) -> dict[str, str]:
    return {name: value for name, value in asdict(profile).items() if value}


def _said_by(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the command is the person's own, without a shell
            shlex.split(command),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise misused(f"the profile's key command cannot be run: {error}") from error
    key = done.stdout.strip()
    if done.returncode or not key:
        why = done.stderr.strip() or f"it ended with exit code {done.returncode} and said nothing"
        raise misused(f"the profile's key command gave no key: {why}")
    return key
