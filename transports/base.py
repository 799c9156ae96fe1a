"""The seam: what every transport offers, and how it says what it cannot do.

Four verbs cover what all access paths have in common: read status, read configuration, write
settings, run a command. What only some paths have (a backup needs the web form or a root shell, the
pre-shared key only the web form; device facts 0) is an `Operation`: a typed request that names the
`Capability` it needs. A transport lists its capabilities; a plan reads them before it promises
anything, and performs an operation only where the list has it.

Every method raises from the tree in `transports.errors` and nothing else.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from transports.command import Command, Setting
from transports.document import Node, Path
from transports.trust import Trust

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Capability(enum.StrEnum):
    """Something that only some transports, grants or software versions can do."""

    ADMINISTRATION = "administration"
    """Read status and configuration, write settings, run commands."""
    BACKUP = "backup"
    RESTORE = "restore"
    PRE_SHARED_KEY = "pre_shared_key"
    CLUSTER_STATUS = "cluster_status"
    """The words of System > Clustering: peer status and cluster database status."""
    TIME_STATUS = "time_status"
    """The State word of System > Time."""
    RESTART = "restart"
    """Maintenance > Restart options. Without it a reboot (`xCommand Boot`) has to do."""
    WEB_LOGIN = "web_login"
    """Whether the web interface answers again, the guide's sign that a restart is over."""
    INSTALL_SOFTWARE = "install_software"
    FACTORY_RESET = "factory_reset"
    PURGE_CLUSTER_DATABASE = "purge_cluster_database"
    ADMIN_ACCOUNTS = "admin_accounts"
    LYNC_B2BUA = "lync_b2bua"
    PING_FROM_PEER = "ping_from_peer"


class Operation(Generic[R_co]):
    """A typed request for what has no place in the four verbs. `R_co` is what it returns."""

    __slots__ = ()
    capability: ClassVar[Capability]


@dataclass(frozen=True)
class SetPreSharedKey(Operation[None]):
    """Enter the cluster pre-shared key and save; an empty key deletes it."""

    capability = Capability.PRE_SHARED_KEY
    key: str = field(repr=False)


@dataclass(frozen=True)
class BackupReceipt:
    """A finished backup: the appliance's file name, its size in bytes, its SHA-256 (hex)."""

    file_name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class CreateBackup(Operation[BackupReceipt]):
    """Make a system backup and hand it over piece by piece; never held in memory whole."""

    capability = Capability.BACKUP
    write: Callable[[bytes], Awaitable[None]] = field(repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class RestoreBackup(Operation[None]):
    """Upload a system backup file and go on with the restore; the appliance restarts."""

    capability = Capability.RESTORE
    file_name: str
    read: Callable[[], AsyncIterator[bytes]] = field(repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class PeerField:
    """One `Peer n IP address` line of System > Clustering. `status` is the word beside it."""

    index: int
    address: str
    status: str


@dataclass(frozen=True)
class ClusteringPage:
    """What System > Clustering shows. Empty strings where the page shows nothing."""

    cluster_name: str
    configuration_master: int | None
    pre_shared_key_set: bool | None
    peers: tuple[PeerField, ...]
    database_status: str


@dataclass(frozen=True)
class ReadClusteringPage(Operation[ClusteringPage]):
    """Read System > Clustering: the words `This system`, `Unknown`, `Failed`, `Active`."""

    capability = Capability.CLUSTER_STATUS


@dataclass(frozen=True)
class ReadTimeState(Operation[str]):
    """Read the State word of System > Time, `Synchronized` when good."""

    capability = Capability.TIME_STATUS


@dataclass(frozen=True)
class RestartSystem(Operation[None]):
    """Maintenance > Restart options > Restart, confirmed. Connections drop soon after."""

    capability = Capability.RESTART


@dataclass(frozen=True)
class CheckWebLogin(Operation[bool]):
    """Whether the web interface answers and takes our log-in."""

    capability = Capability.WEB_LOGIN


@dataclass(frozen=True)
class InstallSoftware(Operation[None]):
    """Upload a software image and install it; it is used from the next reboot on."""

    capability = Capability.INSTALL_SOFTWARE
    file_name: str
    read: Callable[[], AsyncIterator[bytes]] = field(repr=False)
    release_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class FactoryReset(Operation[None]):
    """`factory-reset` in the root shell with the guide's seven answers (guide p.20-21)."""

    capability = Capability.FACTORY_RESET
    keep_option_keys: bool
    keep_ip_configuration: bool
    keep_ssh_keys: bool
    keep_passwords: bool
    save_log_files: bool
    replace_hard_disk: bool


@dataclass(frozen=True)
class PurgeClusterDatabase(Operation[None]):
    """`clusterdb_destroy_and_purge_data.sh` in the root shell; only under a support case."""

    capability = Capability.PURGE_CLUSTER_DATABASE
    support_case: str


@dataclass(frozen=True)
class ReadAdminAccounts(Operation[tuple[str, ...]]):
    """The names on Users > Administrator accounts, the default `admin` included."""

    capability = Capability.ADMIN_ACCOUNTS


@dataclass(frozen=True)
class DeleteAdminAccount(Operation[None]):
    """Delete one administrator account; the default `admin` is refused."""

    capability = Capability.ADMIN_ACCOUNTS
    name: str


@dataclass(frozen=True)
class ReadLyncB2bua(Operation[bool]):
    """Whether Microsoft Lync B2BUA is Enabled."""

    capability = Capability.LYNC_B2BUA


@dataclass(frozen=True)
class SetLyncB2bua(Operation[None]):
    """Enable or disable Microsoft Lync B2BUA and save."""

    capability = Capability.LYNC_B2BUA
    enabled: bool


@dataclass(frozen=True)
class PingFromPeer(Operation[float | None]):
    """Round trip from the appliance to an address, in milliseconds; None where nothing answered."""

    capability = Capability.PING_FROM_PEER
    address: str


@dataclass(frozen=True)
class Limits:
    """How long and how much one exchange may take. Seconds and bytes."""

    connect: float = 15.0
    reply: float = 60.0
    transfer: float = 1800.0
    max_reply_bytes: int = 16 * 1024 * 1024
    max_depth: int = 64


@dataclass(frozen=True)
class Endpoint:
    """Where and as whom one appliance is reached by one transport.

    `options` are the transport's own switches, all off by default (`root=true`,
    `legacy_algorithms=true`, ...); each transport documents and validates its own.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    trust: Trust | None
    options: Mapping[str, str] = field(default_factory=dict)
    root_password: str = field(default="", repr=False)
    limits: Limits = field(default_factory=Limits)


class Transport(Protocol):
    """One access path to one appliance. Connects when first used, reconnects after a restart.

    A transport serialises its own exchanges; callers may use one from several tasks.
    """

    @property
    def name(self) -> str:
        """The name it is registered under: `ssh`, `http`, `mock`, ..."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do with the grants of its endpoint."""

    async def read_status(self, path: Path) -> Node:
        """The status below the path, as a root node that holds the path's first element.

        `document.WHOLE` reads everything in one exchange.

        An element the appliance does not have gives an empty root, not an error, where the
        appliance says so; NotSupported where it calls the path unknown.
        """

    async def read_configuration(self, path: Path) -> Node:
        """The configuration below the path, as a root node that holds the path's first element.

        `document.WHOLE` reads everything in one exchange.
        """

    async def write(self, settings: Sequence[Setting]) -> None:
        """Write settings in order. The appliance's OK proves nothing: the caller reads back."""

    async def run(self, command: Command) -> Node:
        """Run a command; its result values as children of the returned node.

        Raises CommandRejected where the appliance answers status=Error.
        """

    async def perform(self, operation: Operation[R]) -> R:
        """Carry out an operation. Raises NotSupported where its capability is not listed."""

    async def close(self) -> None:
        """Close what is open. Never raises; the transport may be used again."""


@runtime_checkable
class UsesRoot(Protocol):
    """What a transport says beside `Transport` where it logs in as root for some of its work."""

    @property
    def as_root(self) -> frozenset[Capability]:
        """The capabilities for which it logs in with the endpoint's root password."""


@runtime_checkable
class KnowsRoundTrip(Protocol):
    """What a transport says beside `Transport` where it knows how far its appliance is."""

    @property
    def round_trip(self) -> float | None:
        """Milliseconds there and back, the smallest seen so far; None before the first exchange."""


TransportFactory = Callable[[Endpoint], Transport]
"""Makes a transport without connecting. Raises InvalidRequest on unknown options."""

AnyOperation = Operation[Any]
