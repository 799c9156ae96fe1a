"""NAPTR and ENUM: from a telephone number to a URI that can be dialled (guide p.34-35; RFC 3402).

The regular expression comes out of somebody's DNS. It is matched here only when it is plainly
harmless: short, without look-around, back references in the pattern, or a repetition of a
repetition, so that no answer can keep the service busy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.domain.dns import Lookup, Naptr, folded

MOST_DIGITS = 32
MOST_REGEXP = 255
MOST_REPETITIONS = 3

_NUMBER = re.compile(r"\+?[0-9]+")
_GROUP_REPEATED = re.compile(r"\)[*+?{]")


@dataclass(frozen=True, slots=True)
class Dialable:
    """One way to reach a number, in the order it should be tried."""

    order: int
    preference: int
    service: str
    uri: str


def enum_name(number: str, zone: str) -> str:
    """`0.2.1.7.5.5.enum.lookup.com` for 557120 (NAP-12). Raises ValueError on other than digits."""
    digits = number.strip().replace(" ", "").replace("-", "")
    if _NUMBER.fullmatch(digits) is None or len(digits) > MOST_DIGITS:
        raise ValueError("a number is 1 to 32 digits, with a + before them where it has one")
    return ".".join([*reversed(digits.removeprefix("+")), folded(zone)])


def rewritten(regexp: str, subject: str) -> str:
    """What a NAPTR's regular expression makes of the subject (NAP-27 to NAP-29).

    Raises ValueError where it is no such expression, not a harmless one, or does not match.
    """
    if len(regexp) < 3 or len(regexp) > MOST_REGEXP:
        raise ValueError("the regular expression is empty or too long")
    delimiter = regexp[0]
    if delimiter.isalnum() or delimiter in "\\":
        raise ValueError("the first character of the expression is no delimiter")
    parts = _split(regexp[1:], delimiter)
    if len(parts) != 3 or parts[2] not in {"", "i"}:
        raise ValueError("the expression is not <delimiter>pattern<delimiter>result<delimiter>")
    pattern, result, flags = parts
    _harmless(pattern)
    try:
        found = re.search(pattern, subject, re.IGNORECASE if flags else 0)
    except re.error as error:
        raise ValueError(f"the pattern cannot be read: {error}") from None
    if found is None:
        raise ValueError("the pattern does not match the number")
    return _filled(result, found)


def dialable(number: str, lookup: Lookup) -> tuple[Dialable, ...]:
    """The URIs an ENUM answer gives for the number; an entry that gives none is left out."""
    return tuple(
        Dialable(entry.order, entry.preference, entry.service, uri)
        for entry in in_order(lookup)
        if entry.leads_to == "URI" and (uri := _uri(entry, number)) is not None
    )


def in_order(lookup: Lookup) -> tuple[Naptr, ...]:
    """The NAPTR records in the order they are used: order, then preference (NAP-20, NAP-21)."""
    return tuple(sorted(_read(lookup.data()), key=lambda n: (n.order, n.preference)))


def _read(rows: Iterable[str]) -> Iterator[Naptr]:
    for data in rows:
        try:
            yield Naptr.of(data)
        except ValueError:
            continue


def _uri(entry: Naptr, number: str) -> str | None:
    subject = number.strip().replace(" ", "").replace("-", "")
    try:
        return rewritten(entry.regexp, subject)
    except ValueError:
        return None


def _split(text: str, delimiter: str) -> list[str]:
    parts, current, escaped = [], "", False
    for character in text:
        if escaped:
            current += character if character == delimiter else f"\\{character}"
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == delimiter:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def _harmless(pattern: str) -> None:
    plain = re.sub(r"\\.", "", pattern)
    repetitions = sum(plain.count(sign) for sign in "*+?{")
    if "(?" in plain or _GROUP_REPEATED.search(plain) or repetitions > MOST_REPETITIONS:
        raise ValueError("the pattern repeats too much to be matched here")
    if re.search(r"\\[0-9]", pattern):
        raise ValueError("the pattern refers back to itself")


def _filled(result: str, found: re.Match[str]) -> str:
    def group(reference: re.Match[str]) -> str:
        index = int(reference[1])
        if index > found.re.groups:
            raise ValueError("the result names a group that the pattern does not have")
        return found[index] or ""

    return re.sub(r"\\([0-9])", group, result)
