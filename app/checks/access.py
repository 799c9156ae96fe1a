"""Whether a peer could be read at all, and whether the X8.2 procedures apply to what it runs."""

from __future__ import annotations

from collections.abc import Iterator

from app.appliance.profiles import profile_for
from app.checks.findings import blocker, unknown, warning
from app.domain.finding import Finding
from app.domain.observation import NotObserved, Observation, View

SUPPORTED_VERSIONS = "NEW-M-01 NEW-P-02 ADD-P-01 ADD-01"


def readable(view: View | None, peer_id: str) -> Iterator[Finding]:
    """A peer that takes part must answer; why it did not is in the finding's code."""
    if view is None:
        yield blocker(
            "peer-not-observed",
            "The peer was not observed.",
            "Register the peer and plan again.",
            "PRE-01 NEW-M-03 ADD-X-03",
            peer_id=peer_id,
        )
    elif isinstance(view, NotObserved):
        yield blocker(
            view.code, view.detail, view.remedy, "PRE-01 NEW-M-03 ADD-X-03", peer_id=peer_id
        )


def version_applies(seen: Observation) -> Iterator[Finding]:
    """The peer runs software the guide is written for (NEW-M-01, ADD-P-01)."""
    profile = profile_for(seen.software_version)
    if not profile.procedures_apply:
        yield blocker(
            "software-version-not-covered",
            f"{seen.label} runs {seen.software_version or 'an unknown version'}: {profile.trap}.",
            "Use a peer that runs X8.2 (or X8.1), or the guide of its own version.",
            SUPPORTED_VERSIONS,
            peer_id=seen.peer_id,
            evidence={"software_version": seen.software_version},
        )


def local_login(seen: Observation) -> Iterator[Finding]:
    """The reset removes LDAP log-in, so a local password must be at hand (ADD-J-04, ADD-J-05).

    Reading the peer proved the stored password; it is a local one where LDAP log-in is off.
    """
    if seen.ldap_login is None:
        yield unknown(
            "local-login",
            f"{seen.label} does not say where its administrators log in.",
            f"`Login Source Admin` of {seen.label} is LocalOnly, or its local admin password is at"
            " hand.",
            "ADD-J-04 ADD-J-05",
            peer_id=seen.peer_id,
        )
    elif seen.ldap_login:
        yield warning(
            "ldap-login-in-use",
            f"{seen.label} authenticates administrators against LDAP; the reset removes that.",
            "Have the local admin password at hand and use it in the peer's credential.",
            "ADD-J-04 ADD-J-05",
            peer_id=seen.peer_id,
        )
