"""The simulated web server, met by clients that share no code with our transport."""

import asyncio
import base64
import http.client
import re
import ssl
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from transports.mock import Fleet
from transports.mock.https_server import serve_https
from transports.mock.scenario import REHEARSAL_PASSWORD

pytestmark = pytest.mark.sockets
NS = "{http://www.tandberg.no/XML/CUIL/1.0}"
BASIC = {
    "Authorization": "Basic " + base64.b64encode(f"admin:{REHEARSAL_PASSWORD}".encode()).decode()
}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"admin:wrong").decode()}


@pytest.fixture
async def serving():
    servers = []

    async def start(scenario=None, **options):
        fleet = Fleet.from_scenario({"rate": 2000.0, **(scenario or {})})
        server = await serve_https(fleet["exp1"], **options)
        servers.append(server)
        return fleet["exp1"], server

    yield start
    for server in servers:
        await server.close()
        await server.close()


async def ask(server, method, target, headers=BASIC, body=None):
    """Status, headers and body, by the standard library's blocking client in a thread."""
    return await asyncio.to_thread(_ask, server, method, target, headers, body)


def _connection(server):
    context = ssl.create_default_context(cadata=server.certificate_pem)
    return http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=10)


def _ask(server, method, target, headers, body):
    connection = _connection(server)
    try:
        connection.request(method, target, body=body, headers=headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


async def test_a_foreign_client_reads_the_status_document(serving):
    device, server = await serving()
    status, headers, body = await ask(server, "GET", "/status.xml")
    root = ET.fromstring(body)
    assert (status, root.tag, root.get("product")) == (200, f"{NS}Status", "TANDBERG VCS")
    assert root.get("version") == device.version
    serial = root.find(f"{NS}SystemUnit/{NS}Hardware[@item='1']/{NS}SerialNumber")
    assert serial.text == device.serial
    assert all(element.get("item", "").isdigit() for element in root.iter() if element is not root)
    assert headers["Content-Type"].startswith("text/xml")


async def test_alarms_keep_their_sparse_item_numbers(serving):
    device, server = await serving({"expressways": [{"name": "exp1", "address": "192.0.2.11"}]})
    device.alarms.want(20007, wanted=True)
    device.alarms.want(25002, wanted=True)
    await device.clock.sleep(5)
    _, _, body = await ask(server, "GET", "/getxml?location=/Status/Warnings")
    items = [int(w.get("item")) for w in ET.fromstring(body).iter(f"{NS}Warning")]
    assert items == [alarm.item for alarm in device.alarms.listed()]
    assert len(items) == 2
    assert items != [1, 2]


async def test_getxml_takes_a_location_with_and_without_leading_slash(serving):
    device, server = await serving()
    for location in ("/Configuration/SystemUnit/Name", "Configuration/SystemUnit/Name"):
        _, _, body = await ask(server, "GET", f"/getxml?location={location}")
        assert ET.fromstring(body)[0][0].text == device.name


@pytest.mark.parametrize("location", ["/Nonsense", "/Status/a[b", "", "/Configuration/No/Such"])
async def test_an_unknown_location_is_an_xpath_error_with_http_200(serving, location):
    _, server = await serving()
    status, _, body = await ask(server, "GET", f"/getxml?location={location}")
    assert (status, ET.fromstring(body)[0].tag) == (200, "XPathError")


async def test_without_a_right_password_there_is_an_apache_page(serving):
    device, server = await serving()
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic ///"}, WRONG):
        status, _, body = await ask(server, "GET", "/status.xml", headers)
        assert status == 401
        assert b"<title>401 " in body
    assert device.protection.categories["web-auth"].total_fails == 1


async def test_too_many_wrong_passwords_shut_the_door_even_to_a_right_one(serving):
    device, server = await serving()
    for _ in range(device.profile.ban_after):
        await ask(server, "GET", "/status.xml", WRONG)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await _raw(server)
    device.protection.forgive("127.0.0.1")
    assert (await ask(server, "GET", "/status.xml"))[0] == 200


async def test_pages_send_a_stranger_to_the_login(serving):
    _, server = await serving()
    for target in ("/clustering", "/backuprestore", "/", "/no-such-page"):
        status, headers, _ = await ask(server, "GET", target, {})
        assert (status, headers["Location"]) == (302, "/login")


async def test_a_form_without_its_token_changes_nothing(serving):
    device, server = await serving()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    login = f"username=admin&password={REHEARSAL_PASSWORD}&submitbutton=Login"
    _, headers, _ = await ask(server, "POST", "/login", form, login)
    cookie = headers["Set-Cookie"].partition(";")[0]
    body = "submitbutton=Save&cluster_name=stolen&configuration_master=1"
    reply = await asyncio.to_thread(_with_cookie, server, login, form, body)
    assert b"<b>Failed</b>" in reply
    assert cookie
    assert device.cluster.saved().name == ""


async def test_a_masked_key_that_comes_back_untouched_is_kept(serving):
    device, server = await serving()
    device.cluster.set_key("the key")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    login = f"username=admin&password={REHEARSAL_PASSWORD}&submitbutton=Login"

    def save():
        connection = _connection(server)
        try:
            connection.request("POST", "/login", login, form)
            reply = connection.getresponse()
            reply.read()
            cookies = "; ".join(c.partition(";")[0] for c in reply.headers.get_all("Set-Cookie"))
            connection.request("GET", "/clustering", headers={"Cookie": cookies})
            page = connection.getresponse().read().decode()
            token = re.search(r"name='sessionid' value=\"(\w+)\"", page)[1]
            shown = re.search(r'name=pre_shared_key value="([^"]*)"', page)[1]
            fields = {"sessionid": token, "pre_shared_key": shown, "cluster_name": "c9"}
            body = urlencode({**fields, "configuration_master": "1", "submitbutton": "Save"})
            connection.request("POST", "/clustering", body, {**form, "Cookie": cookies})
            return shown, connection.getresponse().read()
        finally:
            connection.close()

    shown, reply = await asyncio.to_thread(save)
    assert shown not in ("", "the key")
    assert b"<b>Success</b>" in reply
    assert (device.cluster.saved().name, device.cluster.key) == ("c9", "the key")


def _with_cookie(server, login, form, body):
    connection = _connection(server)
    try:
        connection.request("POST", "/login", login, form)
        reply = connection.getresponse()
        reply.read()
        cookies = "; ".join(c.partition(";")[0] for c in reply.headers.get_all("Set-Cookie"))
        connection.request("POST", "/clustering", body, {**form, "Cookie": cookies})
        return connection.getresponse().read()
    finally:
        connection.close()


async def test_a_sessions_idleness_ends_it(serving):
    device, server = await serving()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    login = f"username=admin&password={REHEARSAL_PASSWORD}&submitButton=Login"
    _, headers, _ = await ask(server, "POST", "/login", form, login)
    assert headers["Location"] == "/overview"
    assert len(server._site._sessions) == 1
    await device.clock.sleep(31 * 60)
    await ask(server, "GET", "/overview", {})
    assert len(server._site._sessions) == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / SPDY/9\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /putxml HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /putxml HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /putxml HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"A" * 70_000,
    ],
)
async def test_what_is_no_request_is_a_bad_one_and_ends_the_connection(serving, raw):
    _, server = await serving()
    reader, writer = await _raw(server)
    writer.write(raw)
    reply = await reader.read()
    assert reply.startswith(b"HTTP/1.1 400 ")
    writer.transport.abort()
    await asyncio.sleep(0)


async def test_a_chunked_body_is_understood(serving):
    device, server = await serving()
    document = (
        b'<Configuration><SystemUnit><Name item="1">chunked</Name></SystemUnit></Configuration>'
    )

    def post():
        connection = _connection(server)
        try:
            pieces = iter([document[:20], document[20:]])
            connection.request("POST", "/putxml", pieces, BASIC, encode_chunked=True)
            return connection.getresponse().read()
        finally:
            connection.close()

    assert b"Success" in await asyncio.to_thread(post)
    assert device.configuration.get("SystemUnit Name") == "chunked"


async def test_a_document_with_entities_is_not_understood(serving):
    _, server = await serving()
    bomb = b'<!DOCTYPE c [<!ENTITY a "x">]><Command><Boot/>&a;</Command>'
    _, _, body = await ask(server, "POST", "/putxml", BASIC, bomb)
    assert b"not well-formed" in body


async def test_an_idle_connection_is_ended_by_the_server(serving):
    _, server = await serving(keep_alive=0.02)
    reader, writer = await _raw(server)
    assert await reader.read() == b""
    writer.transport.abort()
    await asyncio.sleep(0)


async def test_one_client_too_many_is_told_to_come_back(serving):
    _, server = await serving(max_clients=2)
    held = [await _raw(server) for _ in range(2)]
    status, _, body = await ask(server, "GET", "/status.xml")
    assert (status, b"503" in body) == (503, True)
    for _, writer in held:
        writer.transport.abort()
    await asyncio.sleep(0)


async def test_a_restart_cuts_connections_and_the_port_refuses_until_it_is_over(serving):
    device, server = await serving({"rate": 500.0})
    reader, writer = await _raw(server)
    device.restart(reboot=False)
    assert await reader.read() == b""
    writer.transport.abort()
    refused = 0
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except ConnectionError:
            assert refused < 100
            refused += 1
            await device.clock.sleep(20)
        else:
            writer.transport.abort()
            break
    assert refused > 2
    assert device.web_up
    assert (await ask(server, "GET", "/status.xml"))[0] == 200


async def test_a_cut_link_refuses_and_a_mended_one_serves(serving):
    device, server = await serving()
    device.fleet.cut("exp1")
    await asyncio.sleep(0.005)
    with pytest.raises(ConnectionRefusedError):
        await _raw(server)
    device.fleet.mend("exp1")
    await asyncio.sleep(0.005)
    assert (await ask(server, "GET", "/status.xml"))[0] == 200


async def _raw(server):
    context = ssl.create_default_context(cadata=server.certificate_pem)
    return await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
