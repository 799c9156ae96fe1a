from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.claims import Desk
from tests.support.receiver import NAME, Receiver, receiver
from transports.mock.forms.certificate import ServerIdentity, self_signed


@pytest.fixture(scope="session")
def identity() -> ServerIdentity:
    return self_signed(NAME, ())


@pytest.fixture
async def hook(identity: ServerIdentity) -> AsyncIterator[Receiver]:
    async with receiver(identity) as found:
        yield found


@pytest.fixture
def desk() -> Desk:
    return Desk()
