"""Faults as data: what goes wrong, on which appliance, at which occasion, how often.

A plan of faults is a tuple of `Fault`, so that it can be written in a scenario, printed, and drawn
at random from a seed; the fleet's parts ask at their hook points whether one of them strikes. The
same plan on the same run strikes at the same places.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass


class FaultKind(enum.StrEnum):
    """What can go wrong."""

    DROP_BEFORE = "drop-before"
    """The connection dies before the command is carried out; the sender cannot tell."""
    DROP_AFTER = "drop-after"
    """The command is carried out and the connection dies before its answer."""
    DROP_AT_BYTE = "drop-at-byte"
    """The connection dies after `value` bytes of the answer."""
    DELAY = "delay"
    """The answer comes `value` device seconds late."""
    WRONG_ANSWER = "wrong-answer"
    """The command is not carried out and answered as if it were unknown."""
    GARBAGE = "garbage"
    """The command is carried out and its answer is noise that follows no protocol."""
    IGNORED_WRITE = "ignored-write"
    """A write is answered OK and not kept."""
    RESTART_HANGS = "restart-hangs"
    """A restart takes `value` device seconds longer (a disk check); 0: it never comes back."""
    REPLICATION_STUCK = "replication-stuck"
    ALARM_STICKS = "alarm-sticks"
    """The alarm with the number in `matching` never clears."""
    CALL_NEVER_ENDS = "call-never-ends"
    CLOCK_SKEW = "clock-skew"
    """The device's clock is wrong by `value` seconds."""
    BAN = "ban"
    """A right password is treated as one too many wrong ones."""
    DISK_FULL = "disk-full"
    """A backup cannot be made."""
    IMAGE_CORRUPT = "image-corrupt"
    """A software image does not pass its check."""


NOISE = "%!&/ \x1b[31m<<<)(*s */ 0x00 \x7f ~~ not an answer of any kind"
"""What `GARBAGE` answers."""

_LASTING = frozenset(
    {
        FaultKind.REPLICATION_STUCK,
        FaultKind.ALARM_STICKS,
        FaultKind.CALL_NEVER_ENDS,
        FaultKind.CLOCK_SKEW,
    }
)
_IN_AN_EXCHANGE = (
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.DELAY,
    FaultKind.WRONG_ANSWER,
    FaultKind.IGNORED_WRITE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    `peer` is an appliance's name or `*`; `matching` is a text the occasion must contain, in any
    case (`DefaultValuesSet`, `Alternates`, an alarm's number); `occurrence` is the first matching
    occasion that is struck, from 1; `times` how many are. Lasting kinds ignore both.
    """

    kind: FaultKind
    peer: str = "*"
    matching: str = ""
    occurrence: int = 1
    times: int = 1
    value: float = 0.0

    @classmethod
    def of(cls, data: Mapping[str, object]) -> Fault:
        """A fault from a scenario's dictionary. Raises ValueError on unknown words."""
        known = {"kind", "peer", "matching", "occurrence", "times", "value"}
        if unknown := set(data) - known:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        return cls(
            FaultKind(str(data["kind"])),
            str(data.get("peer", "*")),
            str(data.get("matching", "")),
            int(str(data.get("occurrence", 1))),
            int(str(data.get("times", 1))),
            float(str(data.get("value", 0.0))),
        )

    def as_data(self) -> dict[str, object]:
        """The same as a dictionary for a scenario."""
        return {**asdict(self), "kind": self.kind.value}


class Faults:
    """A plan of faults under way: counts occasions and says which are struck."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.plan: list[Fault] = list(faults)
        self._seen: dict[int, int] = {}
        self.struck: list[tuple[str, Fault, str]] = []
        """Appliance, fault and occasion of everything that went wrong so far."""

    def add(self, fault: Fault) -> Fault:
        """Plan one more."""
        self.plan.append(fault)
        return fault

    def clear(self) -> None:
        """From now on nothing goes wrong any more."""
        self.plan.clear()
        self._seen.clear()

    def strike(self, kind: FaultKind, peer: str, occasion: str = "") -> Fault | None:
        """The fault that strikes at this occasion, if any; counts the occasion."""
        chosen: Fault | None = None
        for fault in self.plan:
            if not _fits(fault, kind, peer, occasion):
                continue
            count = self._seen[id(fault)] = self._seen.get(id(fault), 0) + 1
            if kind in _LASTING or fault.occurrence <= count < fault.occurrence + fault.times:
                chosen = chosen or fault
        if chosen is not None and kind not in _LASTING:
            self.struck.append((peer, chosen, occasion))
        return chosen

    @classmethod
    def at_random(cls, seed: int, peers: Sequence[str], count: int) -> Faults:
        """Faults of exchanges and restarts, drawn from a seed."""
        draw = random.Random(seed)  # noqa: S311 - repeatable on purpose, no secret
        kinds = [*_IN_AN_EXCHANGE, FaultKind.RESTART_HANGS]
        return cls(
            Fault(
                draw.choice(kinds),
                draw.choice(list(peers)),
                occurrence=draw.randint(1, 20),
                value=float(draw.randint(1, 300)),
            )
            for _ in range(count)
        )


def _fits(fault: Fault, kind: FaultKind, peer: str, occasion: str) -> bool:
    return (
        fault.kind is kind
        and fault.peer in {"*", peer}
        and fault.matching.casefold() in occasion.casefold()
    )
