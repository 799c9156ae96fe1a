"""Who may log in to one appliance, and how it bans an address after wrong passwords.

Only `admin` and `root` can use SSH; further administrator accounts have the web interface and the
API (facts 1.1). Wrong passwords are counted by client address and category, and an address that has
too many is refused for a while (facts 4.1, IntrusionProtection).
"""

from __future__ import annotations

import enum
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from transports.mock.clock import FleetClock

DEFAULT_PASSWORD = "TANDBERG"  # noqa: S105 - the public factory default of the product (facts 1.1)


class Login(enum.Enum):
    """What became of a log-in attempt."""

    OK = "ok"
    WRONG = "wrong"
    BANNED = "banned"


@dataclass(slots=True)
class Category:
    """One row of xStatus IntrusionProtection."""

    name: str
    total_bans: int = 0
    total_fails: int = 0
    fails: dict[str, int] = field(default_factory=dict)
    banned_until: dict[str, float] = field(default_factory=dict)


class IntrusionProtection:
    """Counts wrong passwords and bans client addresses."""

    def __init__(self, clock: FleetClock, threshold: int, seconds: float) -> None:
        self._clock = clock
        self._threshold = threshold
        self._seconds = seconds
        self.categories = {
            name: Category(name)
            for name in ("ssh-intrusion", "apache-auth", "ssh-auth", "web-intrusion", "web-auth")
        }

    def banned(self, client: str) -> bool:
        """Whether the address is refused now, by any category."""
        now = self._clock.now()
        return any(c.banned_until.get(client, -1.0) > now for c in self.categories.values())

    def current_bans(self, category: Category) -> int:
        """How many addresses the category refuses now."""
        now = self._clock.now()
        return sum(1 for until in category.banned_until.values() if until > now)

    def fail(self, category_name: str, client: str) -> None:
        """Count a wrong password; ban the address when there are too many."""
        category = self.categories[category_name]
        category.total_fails += 1
        category.fails[client] = category.fails.get(client, 0) + 1
        if category.fails[client] >= self._threshold:
            self.ban(category_name, client)

    def ban(self, category_name: str, client: str) -> None:
        """Refuse the address from now on."""
        category = self.categories[category_name]
        category.fails.pop(client, None)
        category.total_bans += 1
        category.banned_until[client] = self._clock.now() + self._seconds

    def forgive(self, client: str) -> None:
        """Forget the address, as an operator does on System > Protection."""
        for category in self.categories.values():
            category.fails.pop(client, None)
            category.banned_until.pop(client, None)


class Accounts:
    """The passwords of one appliance. The names of further accounts are configuration."""

    def __init__(self, protection: IntrusionProtection, extra: Callable[[], list[str]]) -> None:
        self._protection = protection
        self._extra = extra
        self.admin_password = DEFAULT_PASSWORD
        self.root_password = DEFAULT_PASSWORD
        self.root_ssh = False
        self.passwords: dict[str, str] = {}

    def names(self) -> list[str]:
        """All administrator accounts, the default one first."""
        return ["admin", *self._extra()]

    def log_in(self, username: str, password: str, *, client: str, category: str) -> Login:
        """Check a password as SSH (`ssh-auth`) or the web (`web-auth`) does."""
        if self._protection.banned(client):
            return Login.BANNED
        expected = self._expected(username, category)
        if expected is not None and hmac.compare_digest(expected.encode(), password.encode()):
            return Login.OK
        self._protection.fail(category, client)
        return Login.WRONG

    def reset_passwords(self) -> None:
        """Back to the factory's passwords."""
        self.admin_password = self.root_password = DEFAULT_PASSWORD
        self.root_ssh = False

    def secrets(self) -> list[str]:
        """Passwords that must never appear in anything the fleet says."""
        return [self.admin_password, self.root_password, *self.passwords.values()]

    def _expected(self, username: str, category: str) -> str | None:
        if username == "admin":
            return self.admin_password
        if category == "ssh-auth":
            return self.root_password if username == "root" and self.root_ssh else None
        return self.passwords.get(username) if username in self._extra() else None
