"""How one peer spells the settings that software versions name differently; found out, remembered.

Which release changed a name is not on record (device facts 10, 12), so a name is never derived from
the version: it is taken from what the peer shows, and where the peer shows neither, the peer's own
refusal tells. The rest of the service uses X8.2's name for either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transports.document import Node

NAMES: dict[str, tuple[str, ...]] = {
    "Alternates ConfigurationMaster": (
        "Alternates ConfigurationMaster",
        "Alternates ConfigurationPrimary",
    ),
    "IP DNS Server": ("IP DNS Server", "DNS Server"),
}
"""X8.2's name, and every name there is, X8.2's first. Whole paths or their leading words."""


class Spelling:
    """What is known of one peer's names. `learn` from what it shows, `own` to say it its way."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}

    def learn(self, configuration: Node) -> None:
        """Remember the names that a configuration document, or a part of one, shows."""
        for usual, names in NAMES.items():
            for name in names:
                if configuration.find(name) is not None:
                    self._own[usual] = name

    def settle(self, trial: Spelling) -> None:
        """Remember what a trial assumed: the peer took it."""
        self._own.update(trial._own)  # the same class

    def forget(self) -> None:
        """Know nothing: other software may be running from now on."""
        self._own.clear()

    def knows(self, paths: Iterable[str]) -> bool:
        """Whether nothing has to be found out before these paths can be used."""
        return self._open(paths) is None

    def own(self, path: str) -> str:
        """The peer's own name for a path; X8.2's where that is all there is."""
        usual = _usual(path)
        return path if usual is None else self._own.get(usual, usual) + path[len(usual) :]

    def trials(self, paths: Iterable[str]) -> Iterator[Spelling]:
        """Itself where it knows all of these paths, else one spelling a guess, the best first."""
        paths = tuple(paths)
        usual = self._open(paths)
        if usual is None:
            yield self
            return
        for name in NAMES[usual]:
            trial = Spelling()
            trial._own = {**self._own, usual: name}
            yield from trial.trials(paths)

    def _open(self, paths: Iterable[str]) -> str | None:
        named = (_usual(path) for path in paths)
        return next((usual for usual in named if usual and usual not in self._own), None)


def _usual(path: str) -> str | None:
    folded = path.casefold()
    for usual in NAMES:
        if folded == usual.casefold() or folded.startswith(f"{usual.casefold()} "):
            return usual
    return None
