"""No secret in any log, event or transcript: by name, by shape and by value.

Fields are removed by their name (`password`), texts by shapes that are secret wherever they stand
(an Authorization header, an API key), and by the values themselves: whoever opens a secret tells
the `Redactor`, which from then on removes it from every text it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MARK = "[redacted]"

SECRET_NAMES = frozenset(
    {
        "api_key",
        "apikey",
        "access_token",
        "authorization",
        "client_secret",
        "cookie",
        "database_url",
        "passwd",
        "password",
        "pre_shared_key",
        "preshared_key",
        "private_key",
        "psk",
        "release_key",
        "root_password",
        "sealed",
        "secret",
        "set_cookie",
        "token",
        "x_api_key",
    }
)
_SHAPES = (
    re.compile(r"cwk_[a-z0-9]{12}_[A-Za-z0-9_-]+"),
    re.compile(r"whsec_[A-Za-z0-9+/=]+"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{6,}"),
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.S),
)
_SHORTEST = 4
"""A shorter value would also blank out ordinary words; passwords that short are refused."""
_DEEPEST = 12


class Redactor:
    """Removes secrets from texts and trees. Holds the known values in memory only."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.learn(value)

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values)"

    def learn(self, value: str) -> None:
        """Remove this value from every text from now on."""
        if len(value) >= _SHORTEST and value not in self._values:
            self._values.add(value)
            longest_first = sorted(self._values, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MARK, text)
        for shape in _SHAPES:
            text = shape.sub(MARK, text)
        return text

    def tree(self, value: Any, depth: int = 0) -> Any:
        """A JSON-like tree without secrets; what is too deep is cut off."""
        if depth > _DEEPEST:
            return "[too deep]"
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): MARK
                if is_secret_name(str(key))
                else self.tree(item, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.tree(item, depth + 1) for item in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self.text(str(value))


def is_secret_name(name: str) -> bool:
    """Whether a field of that name holds a secret, whatever its value looks like."""
    return name.casefold().replace("-", "_").replace(" ", "_") in SECRET_NAMES
