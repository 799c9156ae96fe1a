"""A registered peer's endpoints, with their secrets opened: for the one who connects.

Nothing else in the service opens a password. What is opened is told to the redactor first. Whether
an endpoint declined this version of its credential before is read from the database, where every
process sees it: a wrong password is never tried twice, because the appliance bans the address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from app.domain.clock import Clock
from app.security.acting import now_acting
from app.security.addresses import AddressGuard, AddressRefused
from app.security.rates import Seen
from app.security.redaction import Redactor
from app.security.trail import Deed
from app.security.vault import Vault
from app.services.ports import Store, Transaction
from app.services.problems import Problem, not_found
from app.services.records import Credential, PeerEndpoint, TrustAnchor, TrustKind
from transports.base import Endpoint
from transports.trust import CaBundle, CertificatePin, HostKeyPin, Trust

USES_TOLD_EVERY = 3600.0
"""Seconds. A watch looks at each peer every few minutes; the trail is not for counting looks."""


@dataclass(frozen=True, slots=True)
class Root:
    """The credential of the endpoint's root shell. `rejected`: the appliance declined it."""

    credential_id: str
    credential_version: int
    rejected: bool


@dataclass(frozen=True, slots=True)
class Access:
    """One way to a peer. `rejected`: do not connect, the appliance declined this password."""

    transport: str
    endpoint: Endpoint = field(repr=False)
    key: str
    credential_id: str
    credential_version: int
    rejected: bool
    root: Root | None = None

    def login(self, *, root: bool = False) -> tuple[str, str, int]:
        """Endpoint, credential and version of a log-in: what was declined once stays declined.

        Root is another account at the same endpoint, even where it has the same credential.
        """
        if root and self.root is not None:
            return f"{self.key} root", self.root.credential_id, self.root.credential_version
        return self.key, self.credential_id, self.credential_version

    @property
    def identity(self) -> tuple[str, int]:
        """Changes when the endpoint or its credential does: a kept session is then out of date."""
        return (f"{self.key} {self.credential_id}", self.credential_version)


@dataclass(frozen=True, slots=True)
class PeerAccess:
    """Opens the endpoints of peers."""

    store: Store
    vault: Vault
    redactor: Redactor
    guard: AddressGuard
    clock: Clock
    told: Seen = field(default_factory=lambda: Seen(USES_TOLD_EVERY))
    """Uses of credentials that were written down a short while ago."""

    async def endpoints(self, peer_id: str) -> tuple[Access, ...]:
        """The peer's access paths, in the order registered. Raises Problem `not-found`.

        Whoever asked has found the peer within their reach; its credential may be out of it.
        The address guard looks again here, because its setting may have become stricter since the
        peer was registered (Problem `address-refused`).
        """
        async with self.store.transaction(beyond_reach=True) as tx:
            registered = await tx.peers.get(peer_id)
            if registered is None:
                raise not_found("peer", peer_id)
            opened = tuple([await self._opened(tx, path) for path in registered.endpoints])
            await self._tell(tx, peer_id, opened)
            return opened

    async def _tell(self, tx: Transaction, peer_id: str, opened: tuple[Access, ...]) -> None:
        """Write down whose passwords were opened for whom; once an hour for the same."""
        act = now_acting()
        for access in opened:
            words = "\n".join(
                (act.principal.id if act else "", peer_id, *map(str, access.identity))
            )
            if words in self.told:
                continue
            self.told.add(words)
            objects = {"peer_id": peer_id, "credential_id": access.credential_id}
            deed = Deed("useCredential", objects=objects, details={"transport": access.transport})
            if act is not None:
                deed = replace(
                    act.deed("done", transport=access.transport),
                    action="useCredential",
                    objects={**act.objects, **objects},
                )
            await tx.audit.append(deed)

    async def credential_rejected(self, access: Access, *, root: bool = False) -> bool:
        """Whether somebody, in any process, has been declined with this password there."""
        async with self.store.transaction(beyond_reach=True) as tx:
            return await tx.credentials.rejected(*access.login(root=root))

    async def mark_rejected(self, access: Access, *, root: bool = False) -> None:
        """Remember, durably and for all processes, that the appliance declined this password."""
        async with self.store.transaction(beyond_reach=True) as tx:
            await tx.credentials.mark_rejected(*access.login(root=root), self.clock.now())

    async def _opened(self, tx: Transaction, path: PeerEndpoint) -> Access:
        try:
            host = self.guard.check(path.host)
        except AddressRefused as refused:
            raise Problem("address-refused", f"the endpoint's host {refused}") from None
        credential, password = await self._secret(tx, path.credential_id)
        root, root_password = None, ""
        if path.root_credential_id is not None:
            roots, root_password = await self._secret(tx, path.root_credential_id)
            declined = await tx.credentials.rejected(f"{path.key} root", roots.id, roots.version)
            root = Root(roots.id, roots.version, declined)
        return Access(
            transport=path.transport,
            endpoint=Endpoint(
                host=host,
                port=path.port,
                username=credential.username,
                password=password,
                trust=trust(path.trust),
                options=dict(path.options),
                root_password=root_password,
            ),
            key=path.key,
            credential_id=credential.id,
            credential_version=credential.version,
            rejected=await tx.credentials.rejected(path.key, credential.id, credential.version),
            root=root,
        )

    async def _secret(self, tx: Transaction, credential_id: str) -> tuple[Credential, str]:
        credential = await tx.credentials.get(credential_id)
        if credential is None:
            raise not_found("credential", credential_id)
        opened = self.vault.open(credential.sealed, Credential.context(credential.id)).decode()
        self.redactor.learn(opened)
        return credential, opened


def trust(anchor: TrustAnchor | None) -> Trust | None:
    """The transports' form of a trust anchor. Raises InvalidRequest where the text is none."""
    if anchor is None:
        return None
    kinds: dict[TrustKind, Callable[[str], Trust]] = {
        TrustKind.HOST_KEY: HostKeyPin,
        TrustKind.CERTIFICATE: CertificatePin,
        TrustKind.CA_BUNDLE: CaBundle,
    }
    return kinds[anchor.kind](anchor.value)
