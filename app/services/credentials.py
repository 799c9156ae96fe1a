"""Credentials: secrets go in, and never come out again.

A reader sees id, kind, user name, a fingerprint by which equal secrets are recognised, and when it
was rotated. Rotation replaces the secret and raises the version; a password that an appliance
declined is remembered per version, so a rotation is what allows another attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.clock import Clock
from app.security.redaction import Redactor
from app.security.vault import Vault
from app.services.conditions import Expected, remember, replay, tag
from app.services.ports import NewId, Store
from app.services.problems import Problem, not_found
from app.services.records import Credential, CredentialKind, Once, Outcome, Page


@dataclass(frozen=True, slots=True)
class CredentialsService:
    """What callers may do with credentials."""

    store: Store
    vault: Vault
    redactor: Redactor
    clock: Clock
    new_id: NewId

    async def create(
        self, name: str, kind: CredentialKind, username: str, secret: str, once: Once | None
    ) -> Outcome[Credential]:
        """Seal a new secret. Raises Problem `name-taken`."""
        now = self.clock.now()
        self.redactor.learn(secret)
        async with self.store.transaction() as tx:
            found = await replay(tx, once, now, tx.credentials.get)
            if found is not None:
                return found
            credential_id = self.new_id("credential")
            credential = Credential(
                id=credential_id,
                name=name,
                kind=kind,
                username=username,
                sealed=self.vault.seal(secret.encode(), Credential.context(credential_id)),
                fingerprint=self.vault.fingerprint(secret.encode()),
                version=1,
                created_at=now,
                rotated_at=now,
            )
            await tx.credentials.add(credential)
            await remember(tx, once, credential_id, now)
            return Outcome(credential)

    async def get(self, credential_id: str) -> Credential:
        """One credential. Raises Problem `not-found`."""
        async with self.store.transaction() as tx:
            credential = await tx.credentials.get(credential_id)
        if credential is None:
            raise not_found("credential", credential_id)
        return credential

    async def page(self, after: str | None, limit: int) -> Page[Credential]:
        """Some credentials, in the order they were made."""
        async with self.store.transaction() as tx:
            return await tx.credentials.page(after, limit)

    async def rotate(self, credential_id: str, secret: str, expected: Expected) -> Credential:
        """Replace the secret. Raises Problem `not-found`, `precondition-failed`, `forbidden`."""
        self.redactor.learn(secret)
        async with self.store.transaction() as tx:
            credential = await tx.credentials.get(credential_id, lock=True)
            if credential is None:
                raise not_found("credential", credential_id)
            expected.check(tag(credential_id, credential.version))
            if await tx.credentials.shared(credential_id):
                raise Problem(
                    "forbidden", "the credential is also used outside the clusters of this key"
                )
            rotated = replace(
                credential,
                sealed=self.vault.seal(secret.encode(), Credential.context(credential_id)),
                fingerprint=self.vault.fingerprint(secret.encode()),
                version=credential.version + 1,
                rotated_at=self.clock.now(),
            )
            await tx.credentials.rotate(rotated)
            return rotated

    async def delete(self, credential_id: str, expected: Expected) -> None:
        """Forget a secret. Raises Problem `credential-in-use` while a peer or cluster needs it."""
        async with self.store.transaction() as tx:
            credential = await tx.credentials.get(credential_id, lock=True)
            if credential is None:
                raise not_found("credential", credential_id)
            expected.check(tag(credential_id, credential.version))
            if await tx.credentials.shared(credential_id):
                raise Problem("credential-in-use", "it is used outside the clusters of this key")
            users = await tx.credentials.used_by(credential_id)
            if users:
                raise Problem(
                    "credential-in-use",
                    f"the credential is used by {', '.join(users)}",
                    credential_id=credential_id,
                )
            await tx.credentials.remove(credential_id)
