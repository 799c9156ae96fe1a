"""The HTTPS transport: the four verbs by the XML API, the operations by the web forms."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TypeVar, cast

from transports.base import (
    AnyOperation,
    Capability,
    CheckWebLogin,
    CreateBackup,
    DeleteAdminAccount,
    Endpoint,
    InstallSoftware,
    Operation,
    ReadAdminAccounts,
    ReadClusteringPage,
    ReadLyncB2bua,
    ReadTimeState,
    RestartSystem,
    RestoreBackup,
    SetLyncB2bua,
    SetPreSharedKey,
)
from transports.command import Command, Setting
from transports.document import Node, Path
from transports.errors import NotSupported
from transports.http import web_forms
from transports.http.channel import Channel
from transports.http.credential import Credential
from transports.http.options import HttpOptions
from transports.http.tls import client_context
from transports.http.web_session import WebSession
from transports.http.xml_api import Document, XmlApi
from transports.round_trip import smaller
from transports.writing import one_after_another

R = TypeVar("R")

WEB_CAPABILITIES = frozenset(
    {
        Capability.BACKUP,
        Capability.RESTORE,
        Capability.PRE_SHARED_KEY,
        Capability.CLUSTER_STATUS,
        Capability.TIME_STATUS,
        Capability.RESTART,
        Capability.WEB_LOGIN,
        Capability.INSTALL_SOFTWARE,
        Capability.ADMIN_ACCOUNTS,
        Capability.LYNC_B2BUA,
    }
)


def create(endpoint: Endpoint) -> HttpTransport:
    """An HTTPS transport, not yet connected; the options are those of `transports.http.options`.

    Raises InvalidRequest for unknown options, and where trust is neither a certificate pin nor a
    CA bundle: nothing here connects without knowing to whom.
    """
    return HttpTransport(endpoint)


class HttpTransport:
    """One appliance by HTTPS; see `transports.base.Transport`.

    Two connections at most: XML exchanges take turns on one, pages on the other, so that a long
    backup does not keep the status from being read.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._options = HttpOptions.read(endpoint.options)
        context = client_context(endpoint.trust, legacy=self._options.legacy_tls)
        credential = Credential(endpoint.username, endpoint.password)
        self._channels = (Channel(endpoint, context), Channel(endpoint, context))
        self._xml = XmlApi(endpoint, self._options, self._channels[0], credential)
        self._web = WebSession(endpoint, self._options, self._channels[1], credential)

    @property
    def name(self) -> str:
        """`http`."""
        return "http"

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the endpoint's options leave on."""
        web = WEB_CAPABILITIES if self._options.web_forms else frozenset[Capability]()
        xml = {Capability.ADMINISTRATION} if self._options.xml_api else frozenset[Capability]()
        return web | xml

    @property
    def round_trip(self) -> float | None:
        """See `transports.base.KnowsRoundTrip`."""
        return smaller(*(channel.round_trip for channel in self._channels))

    async def read_status(self, path: Path) -> Node:
        """The status below the path, under a root named Status."""
        self._demand(Capability.ADMINISTRATION)
        return await self._xml.read(Document.STATUS, path)

    async def read_configuration(self, path: Path) -> Node:
        """The configuration below the path, under a root named Configuration."""
        self._demand(Capability.ADMINISTRATION)
        return await self._xml.read(Document.CONFIGURATION, path)

    async def read_alternates_document(self) -> Node:
        """The peer's own view of its cluster, `/alternatesconfiguration.xml`, as it comes."""
        self._demand(Capability.ADMINISTRATION)
        return await self._xml.fetch(Document.ALTERNATES)

    async def write(self, settings: Sequence[Setting]) -> None:
        """Write settings in order, one document each; stops at the first that is refused."""
        self._demand(Capability.ADMINISTRATION)
        await one_after_another(settings, self._xml.write)

    async def run(self, command: Command) -> Node:
        """Run a command; its result values as children of the returned node."""
        self._demand(Capability.ADMINISTRATION)
        return await self._xml.run(command)

    async def perform(self, operation: Operation[R]) -> R:
        """Carry out an operation through the web pages."""
        self._demand(operation.capability)
        # Each operation's handler returns what the operation promises; the match proves which.
        return cast("R", await self._perform(operation))

    async def close(self) -> None:
        """Close both connections. Never raises; the transport may be used again."""
        for channel in self._channels:
            await channel.close()

    async def _perform(self, operation: AnyOperation) -> object:
        if isinstance(operation, CheckWebLogin):
            return await self._web.answers()
        return await self._web.within(lambda: self._on_page(operation))

    def _on_page(self, operation: AnyOperation) -> Awaitable[object]:
        web = self._web
        match operation:
            case SetPreSharedKey(key=key):
                return web_forms.set_pre_shared_key(web, key)
            case ReadClusteringPage():
                return web_forms.read_clustering(web)
            case ReadTimeState():
                return web_forms.read_time_state(web)
            case CreateBackup():
                return web_forms.create_backup(web, operation)
            case RestoreBackup():
                return web_forms.restore_backup(web, operation)
            case RestartSystem():
                return web_forms.restart(web)
            case InstallSoftware():
                return web_forms.install_software(web, operation)
            case ReadAdminAccounts():
                return web_forms.read_admin_accounts(web)
            case DeleteAdminAccount(name=name):
                return web_forms.delete_admin_account(web, name)
            case ReadLyncB2bua():
                return web_forms.read_lync_b2bua(web)
            case SetLyncB2bua(enabled=enabled):
                return web_forms.set_lync_b2bua(web, enabled)
            case _:
                raise NotSupported(f"http has no way to {type(operation).__name__}")

    def _demand(self, capability: Capability) -> None:
        if capability not in self.capabilities:
            raise NotSupported(f"this http endpoint does not offer {capability.value}")
