"""HTTP and XML clients at the fleet: the standard library's everywhere, curl where it is there."""

from __future__ import annotations

import asyncio
import base64
import http.client
import shutil
import ssl
from xml.etree import ElementTree as ET

import pytest

from transports.mock import Expressway
from transports.mock.https_server import HttpsServer
from transports.mock.scenario import REHEARSAL_PASSWORD

CURL = shutil.which("curl") or ""
LIMIT = 20.0
NS = "{http://www.tandberg.no/XML/CUIL/1.0}"
RECORDED = {
    "Alternates",
    "Applications",
    "B2BUACalls",
    "CDR",
    "Cafe",
    "Calls",
    "Certification",
    "Cloud",
    "CollaborationEdge",
    "EdgeConfigProvisioning",
    "Ethernet",
    "ExternalManager",
    "Feedback",
    "FindMeManager",
    "Fips",
    "H323",
    "HTTPProxy",
    "IP",
    "IntrusionProtection",
    "Links",
    "Loggers",
    "Mediastatistics",
    "MicrosoftContent",
    "MicrosoftIMP",
    "Options",
    "Pipes",
    "Policy",
    "PortUsage",
    "RateLimits",
    "Registrations",
    "ResourceUsage",
    "SIP",
    "SipServiceDomains",
    "SipServiceZones",
    "SystemMetrics",
    "SystemUnit",
    "TURN",
    "Warnings",
    "XMPP",
    "Zones",
}
"""The elements of the one recorded status, of X8.11.3 (device facts 4.1)."""
LATER = {
    "Cafe",
    "Certification",
    "Cloud",
    "EdgeConfigProvisioning",
    "Loggers",
    "Mediastatistics",
    "MicrosoftContent",
    "MicrosoftIMP",
    "SipServiceDomains",
    "SipServiceZones",
}
"""Those of features that X8.2 has not, or of which that is not on record."""
pytestmark = pytest.mark.sockets
has_curl = pytest.mark.skipif(not CURL, reason="no curl here")


def _get(server: HttpsServer, target: str, password: str) -> tuple[int, str, bytes]:
    """As a script would: HTTP Basic, the certificate pinned; status, content type and body."""
    trusted = ssl.create_default_context(cadata=server.certificate_pem)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", server.port, context=trusted, timeout=LIMIT
    )
    word = base64.b64encode(f"admin:{password}".encode()).decode()
    try:
        connection.request("GET", target, headers={"Authorization": f"Basic {word}"})
        reply = connection.getresponse()
        return reply.status, reply.getheader("Content-Type", ""), reply.read()
    finally:
        connection.close()


async def get(server: HttpsServer, target: str, password: str = REHEARSAL_PASSWORD) -> ET.Element:
    status, kind, body = await asyncio.to_thread(_get, server, target, password)
    assert status == 200
    assert kind.startswith("text/xml")
    return ET.fromstring(body)


async def curl(server: HttpsServer, *words: str, password: str = REHEARSAL_PASSWORD) -> str:
    process = await asyncio.create_subprocess_exec(
        *(CURL, "--disable", "-s", "-k", "-u", f"admin:{password}", "-w", "\n%{http_code}"),
        *words[:-1],
        f"https://127.0.0.1:{server.port}{words[-1]}",
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT):
        out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_the_status_document_is_found_by_other_peoples_paths(
    https: HttpsServer, device: Expressway
):
    """The paths are those of a public client that is tested on a recorded status (facts 8)."""
    root = await get(https, "/status.xml")
    assert root.tag == f"{NS}Status"
    assert root.get("product") == "TANDBERG VCS"
    unit = f"{NS}SystemUnit[@item='1']"
    software = root.find(f"{unit}/{NS}Software[@item='1']")
    assert software is not None
    assert software.findtext(f"{NS}Version") == device.version
    assert root.findtext(f"{unit}/{NS}Hardware[@item='1']/{NS}SerialNumber") == device.serial
    assert {element.tag.removeprefix(NS) for element in root} == RECORDED - LATER
    addresses = [e.text for e in root.iterfind(f"{NS}Alternates//{NS}Address")]
    assert set(addresses) <= {"192.0.2.11", "192.0.2.12", None}


async def test_configuration_and_a_part_of_it_are_read(https: HttpsServer):
    whole = await get(https, "/configuration.xml")
    part = await get(https, "/getxml?location=/Configuration/Alternates/Cluster/Name")
    for root in (whole, part):
        name = root.findtext(f"{NS}Alternates/{NS}Cluster/{NS}Name")
        assert name == "cluster1.example.com"
    assert [child.tag for child in part] == [f"{NS}Alternates"]


async def test_a_stranger_gets_a_401_in_html(https: HttpsServer):
    status, kind, body = await asyncio.to_thread(_get, https, "/status.xml", "wrong")
    assert status == 401
    assert kind.startswith("text/html")
    assert b"401" in body


@has_curl
async def test_curl_reads_the_status(https: HttpsServer, device: Expressway):
    body, _, code = (await curl(https, "/status.xml")).rpartition("\n")
    assert code == "200"
    assert ET.fromstring(body.encode()).get("version") == device.version


@has_curl
async def test_curl_writes_a_setting_and_runs_a_command(https: HttpsServer, device: Expressway):
    document = (
        '<Configuration><SystemUnit><Name item="1">by curl</Name></SystemUnit></Configuration>'
    )
    text = await curl(https, "--data-binary", document, "-H", "Content-Type: text/xml", "/putxml")
    assert text.endswith("\n200")
    assert device.configuration.get("SystemUnit Name") == "by curl"
    command = "<Command><DefaultLinksAdd/></Command>"
    text = await curl(https, "--data-binary", command, "-H", "Content-Type: text/xml", "/putxml")
    assert 'status="OK"' in text


@has_curl
async def test_curl_with_a_wrong_password_is_told_401(https: HttpsServer):
    assert (await curl(https, "/status.xml", password="wrong")).endswith("\n401")
