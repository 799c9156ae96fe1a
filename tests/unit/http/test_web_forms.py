"""The web forms against the simulated appliance's own HTTPS server, over real sockets."""

import asyncio
import gzip
import hashlib

import pytest

from transports import http
from transports.base import (
    CheckWebLogin,
    CreateBackup,
    DeleteAdminAccount,
    Endpoint,
    InstallSoftware,
    Limits,
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
from transports.document import Path
from transports.errors import (
    AuthenticationFailed,
    CommandRejected,
    ConnectionLost,
    InvalidRequest,
    NotSupported,
    OutcomeUnknown,
    Unreachable,
)
from transports.mock import Fault, FaultKind, Fleet
from transports.mock.https_server import serve_https
from transports.mock.scenario import REHEARSAL_PASSWORD
from transports.mock.web import image
from transports.trust import CertificatePin

pytestmark = pytest.mark.sockets
UPTIME = Path.parse("SystemUnit Uptime")
KEY = "a & \"b\" <c> 'd' + ü%"


class Lab:
    """A fleet, one of its appliances behind HTTPS, and a transport to it."""

    def __init__(self, fleet, server):
        self.fleet, self.server = fleet, server
        self.device = fleet["exp1"]
        self.texts = []
        fleet.on_text(lambda _, text: self.texts.append(text))

    def endpoint(self, **changes):
        given = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "username": "admin",
            "password": REHEARSAL_PASSWORD,
            "trust": CertificatePin(self.server.certificate_pem),
            "limits": Limits(connect=2.0, reply=5.0, transfer=10.0),
        }
        return Endpoint(**(given | changes))


@pytest.fixture
async def open_lab():
    labs, transports = [], []

    async def make(scenario=None, *, paths=None, **changes):
        fleet = Fleet.from_scenario({"rate": 2000.0, **(scenario or {})})
        lab = Lab(fleet, await serve_https(fleet["exp1"], paths=paths))
        labs.append(lab)
        lab.transport = http.create(lab.endpoint(**changes))
        transports.append(lab.transport)
        return lab

    yield make
    for transport in transports:
        await transport.close()
    for lab in labs:
        await lab.server.close()


async def back(lab):
    while not await lab.transport.perform(CheckWebLogin()):
        await lab.fleet.clock.sleep(5)


async def test_status_configuration_writes_and_commands_agree_with_the_appliance(open_lab):
    lab = await open_lab()
    status = await lab.transport.read_status(Path.parse("SystemUnit"))
    assert status.get("SystemUnit Hardware SerialNumber") == lab.device.serial
    await lab.transport.write(
        [
            Setting.of("Alternates Cluster Name", "cluster1.example.com"),
            Setting.of("Alternates Peer 1 Address", "192.0.2.11"),
        ]
    )
    alternates = await lab.transport.read_configuration(Path.parse("Alternates"))
    assert alternates.get("Alternates Cluster Name") == "cluster1.example.com"
    assert alternates.get("Alternates Peer 1 Address") == "192.0.2.11"
    assert lab.device.cluster.saved().listed == ("192.0.2.11",)
    result = await lab.transport.run(Command("ZoneAdd", {"ZoneName": "z", "Type": "Neighbor"}))
    assert result.get("ZoneId") == str(lab.device.configuration.records("Zones Zone")[-1])


async def test_what_the_appliance_refuses_is_refused_with_its_words(open_lab):
    lab = await open_lab()
    with pytest.raises(CommandRejected, match="out of range"):
        await lab.transport.write([Setting.of("H323 Mode", "Perhaps")])
    with pytest.raises(CommandRejected, match="Unknown command") as caught:
        await lab.transport.run(Command("DefaultValueSet", {"Level": "2"}))
    assert caught.value.cause
    with pytest.raises(NotSupported):
        await lab.transport.read_configuration(Path.parse("Nonsense"))


async def test_the_pre_shared_key_is_entered_and_all_else_stays(open_lab):
    lab = await open_lab({"expressways": [{"name": "exp1", "address": "192.0.2.11"}]})
    await lab.transport.write([Setting.of("Alternates Cluster Name", 'c "1" & <2>')])
    await lab.transport.perform(SetPreSharedKey(KEY))
    await lab.transport.write([Setting.of("Alternates Peer 1 Address", "192.0.2.11")])
    page = await lab.transport.perform(ReadClusteringPage())
    assert lab.device.cluster.key == KEY
    assert page.pre_shared_key_set is True
    assert page.cluster_name == 'c "1" & <2>'
    assert page.configuration_master == lab.device.cluster.saved().master
    assert [(p.index, p.address) for p in page.peers] == [(1, "192.0.2.11")]
    await lab.transport.perform(SetPreSharedKey("another"))
    assert lab.device.cluster.saved().listed == ("192.0.2.11",)
    assert lab.device.cluster.saved().name == 'c "1" & <2>'
    assert not any(KEY in text or "another" in text for text in lab.texts)


async def test_an_empty_key_deletes_it(open_lab):
    lab = await open_lab()
    await lab.transport.perform(SetPreSharedKey(KEY))
    await lab.transport.perform(SetPreSharedKey(""))
    assert lab.device.cluster.key == ""
    page = await lab.transport.perform(ReadClusteringPage())
    assert page.pre_shared_key_set is False


async def test_a_refusal_of_the_page_is_told_without_the_key(open_lab):
    lab = await open_lab({"clusters": [{"name": "c", "key": KEY, "members": ["exp1", "exp2"]}]})
    with pytest.raises(CommandRejected, match="key is required"):
        await lab.transport.perform(SetPreSharedKey(""))
    assert lab.device.cluster.key == KEY


async def test_the_words_of_a_healthy_cluster_are_read_from_the_page(open_lab):
    members = ["exp1", "exp2", "exp3"]
    lab = await open_lab({"clusters": [{"name": "c", "key": "k", "members": members}]})
    page = await lab.transport.perform(ReadClusteringPage())
    assert [p.address for p in page.peers] == ["192.0.2.11", "192.0.2.12", "192.0.2.13"]
    assert [p.status for p in page.peers] == ["This system", "Active", "Active"]
    assert (page.database_status, page.configuration_master) == ("Active", 1)


async def test_the_time_state_is_the_one_of_the_status_section(open_lab):
    lab = await open_lab()
    assert await lab.transport.perform(ReadTimeState()) == "Synchronized"
    lab.device.set_ntp_reachable(False)
    assert await lab.transport.perform(ReadTimeState()) == "Not synchronized"


async def test_a_backup_is_streamed_hashed_and_whole(open_lab):
    lab = await open_lab()
    kept = bytearray()
    receipt = await lab.transport.perform(CreateBackup(_into(kept)))
    assert bytes(kept) == lab.device.backups[-1].data
    assert gzip.decompress(kept)
    assert receipt.file_name == lab.device.backups[-1].file_name
    assert (receipt.size, receipt.sha256) == (len(kept), hashlib.sha256(kept).hexdigest())


async def test_an_encrypted_backup_goes_out_and_comes_back(open_lab):
    lab = await open_lab()
    kept = bytearray()
    receipt = await lab.transport.perform(CreateBackup(_into(kept), password="pw 1"))
    assert receipt.file_name.endswith(".tar.gz.enc")
    await lab.transport.write([Setting.of("SystemUnit Name", "changed")])
    booted = lab.device.booted_at
    with RestartMayCutIt():
        await lab.transport.perform(RestoreBackup(receipt.file_name, _from(kept), "pw 1"))
    await _until(lab, lambda: lab.device.booted_at != booted)
    await back(lab)
    name = await lab.transport.read_configuration(Path.parse("SystemUnit Name"))
    assert name.get("SystemUnit Name") == "exp1"


async def test_a_backup_that_cannot_be_made_is_refused_with_the_pages_words(open_lab):
    lab = await open_lab({"faults": [{"kind": "disk-full", "peer": "exp1"}]})
    kept = bytearray()
    with pytest.raises(CommandRejected, match="disk space"):
        await lab.transport.perform(CreateBackup(_into(kept)))
    assert not kept


async def test_a_backup_that_is_cut_short_is_no_backup(open_lab):
    lab = await open_lab(
        {"faults": [{"kind": "drop-at-byte", "matching": "web backup", "value": 700}]}
    )
    with pytest.raises(ConnectionLost):
        await lab.transport.perform(CreateBackup(_into(bytearray())))


async def test_what_the_writer_raises_reaches_the_caller_unchanged(open_lab):
    lab = await open_lab()

    async def full(piece):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await lab.transport.perform(CreateBackup(full))
    assert (await lab.transport.read_status(UPTIME)).name == "Status"
    assert await lab.transport.perform(ReadTimeState()) == "Synchronized"


async def test_restoring_nonsense_is_refused(open_lab):
    lab = await open_lab()
    with pytest.raises(CommandRejected, match="not a valid system backup"):
        await lab.transport.perform(RestoreBackup("x.tar.gz", _from(b"nonsense")))


async def test_a_file_name_cannot_break_out_of_its_header(open_lab):
    lab = await open_lab()
    with pytest.raises(InvalidRequest):
        await lab.transport.perform(RestoreBackup('x"\r\nX: y', _from(b"data")))


async def test_a_restart_is_confirmed_and_the_appliance_goes_and_comes_back(open_lab):
    lab = await open_lab()
    booted = lab.device.booted_at
    with RestartMayCutIt():
        await lab.transport.perform(RestartSystem())
    await _until(lab, lambda: not lab.device.up)
    with pytest.raises((Unreachable, ConnectionLost)):
        await lab.transport.read_status(UPTIME)
    assert await lab.transport.perform(CheckWebLogin()) is False
    await back(lab)
    assert lab.device.booted_at != booted
    assert (await lab.transport.read_status(UPTIME)).name == "Status"


async def test_an_upgrade_is_uploaded_and_waits_for_the_reboot(open_lab):
    lab = await open_lab()
    data = image("X8.2.1")
    await lab.transport.perform(InstallSoftware("tandberg-image.tar.gz", _from(data)))
    assert (lab.device.version, lab.device.pending_version) == ("X8.2", "X8.2.1")


async def test_a_corrupt_image_is_refused(open_lab):
    lab = await open_lab()
    with pytest.raises(CommandRejected, match="image is not valid"):
        await lab.transport.perform(InstallSoftware("i.tar.gz", _from(b"x" * 300_000)))


async def test_accounts_are_listed_and_exactly_one_is_deleted(open_lab):
    machines = [{"name": "exp1", "address": "192.0.2.11", "accounts": ["alice", "bob"]}]
    lab = await open_lab({"expressways": machines})
    assert await lab.transport.perform(ReadAdminAccounts()) == ("admin", "alice", "bob")
    await lab.transport.perform(DeleteAdminAccount("alice"))
    assert await lab.transport.perform(ReadAdminAccounts()) == ("admin", "bob")
    with pytest.raises(CommandRejected):
        await lab.transport.perform(DeleteAdminAccount("alice"))
    with pytest.raises(CommandRejected):
        await lab.transport.perform(DeleteAdminAccount("admin"))


async def test_the_lync_b2bua_is_read_and_switched(open_lab):
    lab = await open_lab()
    assert await lab.transport.perform(ReadLyncB2bua()) is False
    await lab.transport.perform(SetLyncB2bua(True))
    assert lab.device.lync_b2bua is True
    assert await lab.transport.perform(ReadLyncB2bua()) is True
    await lab.transport.perform(SetLyncB2bua(False))
    assert lab.device.lync_b2bua is False


async def test_an_expired_session_is_renewed_once_and_nobody_notices(open_lab):
    lab = await open_lab()
    await lab.transport.perform(ReadTimeState())
    lab.server.expire_sessions()
    await lab.transport.perform(SetPreSharedKey(KEY))
    assert lab.device.cluster.key == KEY


async def test_a_page_that_moved_is_found_in_the_menu(open_lab):
    lab = await open_lab(paths={"clustering": "/clusters", "time": "/clock"})
    assert (await lab.transport.perform(ReadClusteringPage())).peers == ()
    assert await lab.transport.perform(ReadTimeState()) == "Synchronized"


async def test_a_page_that_an_endpoint_places_is_taken_from_there(open_lab):
    lab = await open_lab(paths={"time": "/clock"}, options={"page.time": "/clock"})
    assert await lab.transport.perform(ReadTimeState()) == "Synchronized"


async def test_a_page_that_is_nowhere_is_not_supported(open_lab):
    lab = await open_lab(options={"page.time": "/nowhere"})
    with pytest.raises(NotSupported, match="System > Time"):
        await lab.transport.perform(ReadTimeState())


async def test_a_wrong_password_costs_one_attempt_on_the_appliance(open_lab):
    lab = await open_lab(password="wrong")
    for _ in range(3):
        with pytest.raises(AuthenticationFailed):
            await lab.transport.perform(ReadTimeState())
        with pytest.raises(AuthenticationFailed):
            await lab.transport.read_status(UPTIME)
        with pytest.raises(AuthenticationFailed):
            await lab.transport.perform(CheckWebLogin())
    assert lab.device.protection.categories["web-auth"].total_fails == 1


@pytest.mark.parametrize(("access", "forms"), [("AccessAPI", False), ("AccessWeb", True)])
async def test_an_account_without_access_is_declined_there_and_not_asked_again(
    open_lab, access, forms
):
    machines = [{"name": "exp1", "address": "192.0.2.11", "accounts": ["alice"]}]
    lab = await open_lab({"expressways": machines}, username="alice")
    lab.device.configuration.put(f"Authentication Account Admin Account 1 {access}", "Off")
    for _ in range(2):
        asked = (
            lab.transport.perform(ReadTimeState()) if forms else lab.transport.read_status(UPTIME)
        )
        with pytest.raises(AuthenticationFailed):
            await asked


async def test_both_channels_at_once_still_send_a_wrong_password_once(open_lab):
    lab = await open_lab({"rate": 20.0}, password="wrong")
    asked = (
        lab.transport.read_status(UPTIME),
        lab.transport.perform(ReadTimeState()),
        lab.transport.perform(ReadClusteringPage()),
    )
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(result) for result in results} == {AuthenticationFailed}
    assert lab.device.protection.categories["web-auth"].total_fails == 1


async def test_a_long_backup_does_not_keep_the_status_from_being_read(open_lab):
    lab = await open_lab({"rate": 200.0})
    asked = asyncio.create_task(lab.transport.perform(CreateBackup(_into(bytearray()))))
    await _until(lab, lambda: lab.server.clients > 0)
    assert (await lab.transport.read_status(UPTIME)).name == "Status"
    assert not asked.done()
    assert lab.server.clients <= 2
    await asked


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
async def test_a_connection_lost_around_a_command_leaves_the_outcome_unknown(open_lab, kind):
    lab = await open_lab()
    lab.fleet.faults.add(Fault(kind, "exp1", "xCommand ZoneAdd"))
    before = len(lab.device.configuration.records("Zones Zone"))
    with pytest.raises(ConnectionLost) as caught:
        await lab.transport.run(Command("ZoneAdd", {"ZoneName": "z", "Type": "Neighbor"}))
    assert caught.value.sent is None
    done = len(lab.device.configuration.records("Zones Zone")) - before
    assert done == (1 if kind is FaultKind.DROP_AFTER else 0)


async def test_a_version_without_pre_shared_key_does_not_support_one(open_lab):
    lab = await open_lab({"version": "X8.11.3"})
    with pytest.raises(NotSupported, match="Cluster pre-shared key"):
        await lab.transport.perform(SetPreSharedKey("k"))
    page = await lab.transport.perform(ReadClusteringPage())
    assert page.pre_shared_key_set is None


def _into(kept):
    async def write(piece):
        kept.extend(piece)

    return write


def _from(data):
    async def read():
        for start in range(0, len(data), 100_000):
            yield bytes(data[start : start + 100_000])

    return read


class RestartMayCutIt:
    """At the fleet's pace the appliance may be gone before its answer has arrived."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        return isinstance(error, OutcomeUnknown)


async def _until(lab, condition):
    async with asyncio.timeout(5):
        while not condition():
            await lab.fleet.clock.sleep(1)
