"""What the transport makes of each shape of answer the XML API gives."""

import asyncio

import httpx
import pytest
import respx

from transports import http
from transports.base import Capability, Limits, ReadTimeState
from transports.command import Command, Setting
from transports.document import Path
from transports.errors import (
    AuthenticationFailed,
    Busy,
    CommandRejected,
    Garbled,
    InvalidRequest,
    NotSupported,
    ReplyTooLarge,
)

BASE = "https://127.0.0.1"
NS = 'xmlns="http://www.tandberg.no/XML/CUIL/1.0"'
UPTIME = Path.parse("SystemUnit Uptime")
STATUS = f"""<?xml version="1.0"?>
<Status {NS} product="TANDBERG VCS" version="X8.2">
  <SystemUnit item="1"><Uptime item="1">604800</Uptime></SystemUnit>
  <Warnings item="1"><Warning item="69"><Reason item="1">a</Reason></Warning>
    <Warning item="156"><Reason item="1">b</Reason></Warning></Warnings>
</Status>"""
APACHE_401 = (
    "<!DOCTYPE HTML PUBLIC><html><head><title>401 Authorization Required</title></head></html>"
)


@pytest.fixture
def transport(endpoint):
    return http.create(endpoint())


@pytest.fixture
def api():
    with respx.mock(base_url=BASE, assert_all_called=False) as mocked:
        yield mocked


async def test_a_status_is_asked_for_by_its_location_and_read_by_path(transport, api):
    route = api.get("/getxml").respond(text=STATUS)
    root = await transport.read_status(Path.parse("SystemUnit Uptime"))
    assert (root.name, root.get("SystemUnit Uptime")) == ("Status", "604800")
    asked = route.calls.last.request
    assert asked.url.params["location"] == "/Status/SystemUnit/Uptime"
    assert asked.headers["authorization"].startswith("Basic ")


async def test_an_index_travels_as_an_item_predicate(transport, api):
    route = api.get("/getxml").respond(text=f"<Configuration {NS}/>")
    await transport.read_configuration(Path.parse("Alternates Peer 2 Address"))
    location = route.calls.last.request.url.params["location"]
    assert location == "/Configuration/Alternates/Peer[@item='2']/Address"


async def test_sparse_item_numbers_become_indexes(transport, api):
    api.get("/getxml").respond(text=STATUS)
    root = await transport.read_status(Path.parse("Warnings"))
    warnings = root.find("Warnings").all("Warning")
    assert [w.index for w in warnings] == [69, 156]


async def test_a_document_without_the_namespace_reads_the_same(transport, api):
    api.get("/getxml").respond(text=STATUS.replace(NS, ""))
    assert (await transport.read_status(UPTIME)).get("SystemUnit Uptime") == "604800"


async def test_an_answer_wider_than_the_question_is_cut_to_it(transport, api):
    api.get("/getxml").respond(text=STATUS)
    root = await transport.read_status(Path.parse("Warnings Warning 156"))
    assert [str(path) for path, _ in root.leaves()] == ["Warnings Warning 156 Reason"]


async def test_an_element_the_appliance_does_not_have_gives_an_empty_root(transport, api):
    api.get("/getxml").respond(text=STATUS)
    root = await transport.read_status(Path.parse("Warnings Warning 1 Reason"))
    assert (root.name, root.children) == ("Status", [])


@pytest.mark.parametrize(
    "answer",
    [
        f"<Status {NS}><XPathError item='1'><Reason>no such</Reason></XPathError></Status>",
        "<XPathError><Reason>no such</Reason></XPathError>",
        "<Status><Fault><Reason>no such</Reason></Fault></Status>",
    ],
)
async def test_an_unknown_path_is_not_supported_although_http_says_200(transport, api, answer):
    api.get("/getxml").respond(text=answer)
    with pytest.raises(NotSupported, match="no such"):
        await transport.read_status(Path.parse("Nonsense"))


async def test_whole_documents_are_fetched_and_cut_where_the_option_says_so(endpoint, api):
    transport = http.create(endpoint(options={"read_by": "documents"}))
    api.get("/status.xml").respond(text=STATUS)
    assert (await transport.read_status(UPTIME)).get("SystemUnit Uptime") == "604800"


async def test_the_alternates_document_can_be_read(transport, api):
    api.get("/alternatesconfiguration.xml").respond(
        text="<Configuration><Alternates><Cluster><Name>c</Name></Cluster></Alternates></Configuration>"
    )
    root = await transport.read_alternates_document()
    assert root.get("Alternates Cluster Name") == "c"


async def test_settings_are_posted_one_by_one_in_order(transport, api):
    route = api.post("/putxml").respond(text="<Configuration><Success/></Configuration>")
    await transport.write(
        [Setting.of("SystemUnit Name", "a & <b>"), Setting.of("Alternates Peer 2 Address", "")]
    )
    bodies = [call.request.content.decode() for call in route.calls]
    assert '<Name item="1">a &amp; &lt;b&gt;</Name>' in bodies[0]
    assert '<Peer item="2"><Address item="1"></Address></Peer>' in bodies[1]


async def test_the_form_encoded_way_carries_the_same_document(endpoint, api):
    transport = http.create(endpoint(options={"write_by": "formputxml"}))
    route = api.post("/formputxml").respond(text="")
    await transport.write([Setting.of("SystemUnit Name", "x y")])
    sent = httpx.QueryParams(route.calls.last.request.content.decode())
    assert sent["xmldoc"].endswith('<Name item="1">x y</Name></SystemUnit></Configuration>')


async def test_a_refused_setting_stops_the_ones_behind_it(transport, api):
    route = api.post("/putxml").respond(
        text='<Configuration status="Error"><Description>out of range</Description></Configuration>'
    )
    with pytest.raises(CommandRejected, match="out of range"):
        await transport.write([Setting.of("SystemUnit Name", "a"), Setting.of("H323 Mode", "On")])
    assert route.call_count == 1


async def test_a_command_gives_its_result_values(transport, api):
    api.post("/putxml").respond(
        text='<Command><DialResult item="1" status="OK">'
        '<CallSerialNumber item="1">1</CallSerialNumber></DialResult></Command>'
    )
    result = await transport.run(Command("Dial", {"callSrc": "alice", "callDst": "bob"}))
    assert result.get("CallSerialNumber") == "1"


async def test_a_refused_command_keeps_the_appliances_words(transport, api):
    api.post("/putxml").respond(
        text='<Command><DialResult item="1" status="Error"><Cause item="1">89</Cause>'
        '<Description item="1">must differ</Description></DialResult></Command>'
    )
    with pytest.raises(CommandRejected) as caught:
        await transport.run(Command("Dial"))
    assert (caught.value.cause, caught.value.description) == ("89", "must differ")


async def test_a_command_answered_without_its_result_is_garbled(transport, api):
    api.post("/putxml").respond(text='<Command><OtherResult status="OK"/></Command>')
    with pytest.raises(Garbled):
        await transport.run(Command("Boot"))


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(401, html=APACHE_401),
        httpx.Response(403, html="<html>no</html>"),
        httpx.Response(302, headers={"location": "/login/"}),
        httpx.Response(200, html="<html><head><title>Login</title></head></html>"),
        httpx.Response(200, html="<html><b>Login expired</b></html>"),
    ],
    ids=["401", "403", "redirect", "page", "expired"],
)
async def test_a_wrong_password_is_never_sent_twice(transport, api, refusal):
    route = api.route().mock(return_value=refusal)
    with pytest.raises(AuthenticationFailed):
        await transport.read_status(UPTIME)
    with pytest.raises(AuthenticationFailed):
        await transport.run(Command("Boot"))
    with pytest.raises(AuthenticationFailed):
        await transport.perform(ReadTimeState())
    assert route.call_count == 1


async def test_callers_that_start_together_send_a_wrong_password_once(transport, api):
    async def refuse(request):
        await asyncio.sleep(0.01)
        return httpx.Response(401, html=APACHE_401)

    route = api.get("/getxml").mock(side_effect=refuse)
    asking = [transport.read_status(UPTIME) for _ in range(5)]
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(result) for result in results} == {AuthenticationFailed}
    assert route.call_count == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, Busy), (429, Busy), (404, NotSupported), (400, CommandRejected), (500, Garbled)],
)
async def test_http_statuses_say_what_a_caller_may_do(transport, api, status, error):
    api.get("/getxml").respond(status, html="<html></html>")
    with pytest.raises(error):
        await transport.read_status(UPTIME)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>It works!</body></html>",
        b"<!DOCTYPE html><p>hello",
        b'{"Message": "OK"}',
        b"",
        b"\x00\xff\xfe garbage",
        b"<Status><SystemUnit>",
        b"<Configuration/>",
        b'<Status xmlns="urn:other"/>',
        b'<Status><SystemUnit item="zero"/></Status>',
        b'<?xml version="1.0" encoding="no-such-encoding"?><Status/>',
        b'<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Status>&b;</Status>',
        b'<!DOCTYPE s SYSTEM "file:///etc/passwd"><Status/>',
        b"<Status>&nbsp;</Status>",
    ],
)
async def test_what_is_no_document_of_an_expressway_is_garbled(transport, api, body):
    api.get("/getxml").respond(content=body)
    with pytest.raises(Garbled):
        await transport.read_status(UPTIME)


async def test_a_wrong_label_on_a_right_document_does_not_matter(transport, api):
    api.get("/getxml").respond(content=STATUS.encode(), content_type="text/html")
    assert (await transport.read_status(UPTIME)).get("SystemUnit Uptime") == "604800"


async def test_a_redirect_to_elsewhere_is_not_followed(transport, api):
    api.get("/getxml").respond(302, headers={"location": "https://192.0.2.99/"})
    with pytest.raises(Garbled):
        await transport.read_status(UPTIME)
    assert [call.request.url.host for call in api.calls] == ["127.0.0.1"]


async def test_a_reply_over_the_limit_is_given_up_while_it_streams(endpoint, api):
    handed_out = 0

    async def thirty_megabytes():
        nonlocal handed_out
        yield b"<Status>"
        for _ in range(30):
            handed_out += 1
            yield b"<a>x</a>" * 131072

    transport = http.create(endpoint(limits=Limits(max_reply_bytes=3 * 1024 * 1024)))
    api.get("/getxml").respond(stream=_Stream(thirty_megabytes()))
    with pytest.raises(ReplyTooLarge):
        await transport.read_status(UPTIME)
    assert handed_out <= 4


async def test_a_compressed_reply_is_not_unpacked(transport, api):
    api.get("/getxml").respond(
        headers={"content-encoding": "gzip"}, stream=_Stream(_pieces(b"\x1f\x8b\x08"))
    )
    with pytest.raises(Garbled):
        await transport.read_status(UPTIME)


async def test_nesting_over_the_limit_is_too_large(transport, api):
    api.get("/getxml").respond(content=b"<Status>" + b"<a>" * 100_000)
    with pytest.raises(ReplyTooLarge):
        await transport.read_status(UPTIME)


async def test_a_companion_endpoint_offers_the_web_forms_only(endpoint):
    transport = http.create(endpoint(options={"xml_api": "false"}))
    assert Capability.ADMINISTRATION not in transport.capabilities
    assert Capability.BACKUP in transport.capabilities
    with pytest.raises(NotSupported):
        await transport.read_status(UPTIME)


async def test_without_web_forms_no_operation_is_offered(endpoint):
    transport = http.create(endpoint(options={"web_forms": "false"}))
    assert transport.capabilities == {Capability.ADMINISTRATION}
    with pytest.raises(NotSupported):
        await transport.perform(ReadTimeState())


@pytest.mark.parametrize(
    "options",
    [
        {"webforms": "true"},
        {"web_forms": "yes"},
        {"web_forms": "false", "xml_api": "false"},
        {"page.clustering": "https://elsewhere/"},
        {"page.clustering": "//elsewhere/"},
        {"page.nowhere": "/x"},
        {"read_by": "telepathy"},
    ],
)
def test_an_option_that_is_not_understood_is_refused(endpoint, options):
    with pytest.raises(InvalidRequest):
        http.create(endpoint(options=options))


def test_no_secret_shows_in_a_representation(transport, endpoint):
    shown = repr(vars(transport)) + repr(vars(transport._xml)) + repr(endpoint())
    assert endpoint().password not in shown


class _Stream(httpx.AsyncByteStream):
    def __init__(self, source):
        self._source = source

    def __aiter__(self):
        return self._source


async def _pieces(*pieces):
    for piece in pieces:
        yield piece
