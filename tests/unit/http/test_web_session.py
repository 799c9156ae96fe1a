"""Pages that our simulated appliance would never show: hostile, confused, or of others."""

import httpx
import pytest
import respx

from transports import http
from transports.base import (
    CheckWebLogin,
    CreateBackup,
    ReadAdminAccounts,
    ReadClusteringPage,
    ReadLyncB2bua,
    ReadTimeState,
    RestartSystem,
    SetPreSharedKey,
)
from transports.errors import (
    AuthenticationFailed,
    Busy,
    CommandRejected,
    ConnectionLost,
    Garbled,
    NotSupported,
    ReplyTooLarge,
)

BASE = "https://127.0.0.1"
KEY = "the-cluster-key-4711"
LOGIN = (
    "<html><title>Login</title><form method=post action=/login>"
    "<input type=hidden name=csrf value=7>"
    "<input name=username><input type=password name=password>"
    "<input type=submit name=submitButton value=Login></form>"
)
CLUSTERING = (
    "<form method=post action='{action}'><input type=hidden name=sessionid value=t1>"
    "<table><tr><td>Cluster name<td><input name=cn value=c1>"
    "<tr><td>Cluster pre-shared key<td><input type=password name=psk value=''>"
    "<tr><td>Peer 1 IP address<td><input name=p1 value=192.0.2.11> Failed"
    "</table><input type=submit name=b value=Save></form>"
)


@pytest.fixture
def web():
    with respx.mock(base_url=BASE, assert_all_called=False) as mocked:
        mocked.get("/login").respond(html=LOGIN)
        mocked.post("/login").respond(
            302, headers={"location": "/overview", "set-cookie": "SHARPID=s1; Path=/; Secure"}
        )
        yield mocked


@pytest.fixture
def transport(endpoint):
    return http.create(endpoint())


def clustering(web, answer, action="/clustering"):
    web.get("/clustering").respond(html=CLUSTERING.format(action=action))
    return web.post("/clustering").mock(
        side_effect=answer if isinstance(answer, list) else [answer]
    )


def html(body, **more):
    return httpx.Response(200, html=body, **more)


async def test_a_login_sends_both_spellings_of_the_button_the_hidden_fields_and_a_referer(
    web, transport
):
    clustering(web, html("<b>Success</b>: Saved"))
    await transport.perform(SetPreSharedKey(KEY))
    login = next(c.request for c in web.calls if c.request.method == "POST")
    sent = httpx.QueryParams(login.content.decode())
    assert (sent["submitButton"], sent["submitbutton"], sent["csrf"]) == ("Login", "Login", "7")
    assert login.headers["referer"] == f"{BASE}/login"
    assert "authorization" not in login.headers
    last = web.calls.last.request
    assert last.headers["cookie"] == "SHARPID=s1"
    assert httpx.QueryParams(last.content.decode())["sessionid"] == "t1"


async def test_a_form_that_leads_to_another_server_is_not_sent(web, transport):
    web.get("/clustering").respond(html=CLUSTERING.format(action="https://192.0.2.99/take"))
    with pytest.raises(Garbled):
        await transport.perform(SetPreSharedKey(KEY))
    assert all(call.request.url.host == "127.0.0.1" for call in web.calls)


@pytest.mark.parametrize("action", ["//192.0.2.99/x", "http://127.0.0.1/x", "javascript:alert(1)"])
async def test_a_form_that_leads_anywhere_but_back_is_not_sent(web, transport, action):
    web.get("/clustering").respond(html=CLUSTERING.format(action=action))
    with pytest.raises(Garbled):
        await transport.perform(SetPreSharedKey(KEY))
    assert KEY.encode() not in b"".join(call.request.content for call in web.calls)


async def test_a_menu_that_leads_to_another_server_is_not_followed(web, transport):
    web.get("/overview").respond(html="<a href='https://192.0.2.99/time'>Time</a>")
    web.get("/time").respond(404)
    with pytest.raises(NotSupported):
        await transport.perform(ReadTimeState())
    assert all(call.request.url.host == "127.0.0.1" for call in web.calls)


async def test_a_page_that_repeats_the_key_in_its_refusal_does_not_give_it_away(web, transport):
    clustering(web, html(f"<b>Failed</b>: the key {KEY} is too weak"))
    with pytest.raises(CommandRejected) as caught:
        await transport.perform(SetPreSharedKey(KEY))
    assert "too weak" in caught.value.description
    assert KEY not in f"{caught.value}{caught.value.description}{caught.value.cause}"


async def test_a_page_that_does_not_say_whether_it_saved_is_garbled(web, transport):
    clustering(web, html("<p>Welcome"))
    with pytest.raises(Garbled):
        await transport.perform(SetPreSharedKey(KEY))


async def test_a_saved_form_that_sends_us_on_is_followed_once_to_see_how_it_went(web, transport):
    done = web.get("/done").respond(html="<b>Success</b>: Saved")
    for location in ("/done", f"{BASE}/done", f"{BASE}:443/done"):
        clustering(web, httpx.Response(303, headers={"location": location}))
        await transport.perform(SetPreSharedKey(KEY))
    assert done.call_count == 3


async def test_a_form_answered_by_the_login_page_is_not_sent_again(web, transport):
    sent = clustering(web, [html(LOGIN), html("<b>Success</b>: Saved")])
    with pytest.raises(ConnectionLost):
        await transport.perform(SetPreSharedKey(KEY))
    assert sent.call_count == 1


async def test_a_restart_whose_answer_is_the_login_page_is_not_asked_for_twice(web, transport):
    web.get("/restart").respond(
        html="<form method=post action=/restart><input type=submit value=Restart></form>"
    )
    sent = web.post("/restart").respond(302, headers={"location": "/login"})
    with pytest.raises(ConnectionLost):
        await transport.perform(RestartSystem())
    assert sent.call_count == 1


async def test_a_session_that_is_never_kept_ends_in_two_logins(web, transport):
    web.get("/time").respond(302, headers={"location": "/login"})
    with pytest.raises(AuthenticationFailed):
        await transport.perform(ReadTimeState())
    logins = [c for c in web.calls if c.request.method == "POST"]
    assert len(logins) == 2
    assert "cookie" not in logins[1].request.headers
    with pytest.raises(AuthenticationFailed):
        await transport.perform(ReadTimeState())
    assert len([c for c in web.calls if c.request.method == "POST"]) == 2


async def test_a_login_answered_by_the_login_page_is_not_repeated(web, transport):
    refused = web.post("/login").respond(html=LOGIN)
    for _ in range(2):
        with pytest.raises(AuthenticationFailed):
            await transport.perform(ReadTimeState())
    assert refused.call_count == 1


async def test_a_busy_web_server_does_not_count_as_a_declined_password(web, transport):
    web.post("/login").respond(503)
    with pytest.raises(Busy):
        await transport.perform(ReadTimeState())
    assert await transport.perform(CheckWebLogin()) is False
    web.post("/login").respond(302, headers={"location": "/overview"})
    web.get("/clustering").respond(html="<p>Clustering")
    assert await transport.perform(CheckWebLogin()) is True


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.ReadError("x")]
)
async def test_an_appliance_on_its_way_back_has_no_web_login_yet(web, transport, error):
    web.get("/login").mock(side_effect=error)
    assert await transport.perform(CheckWebLogin()) is False


async def test_a_wrong_password_is_told_and_not_taken_for_an_absence(web, transport):
    web.post("/login").respond(html=LOGIN)
    with pytest.raises(AuthenticationFailed):
        await transport.perform(CheckWebLogin())


async def test_pages_without_the_guides_words_are_not_supported(web, transport):
    for path in ("/clustering", "/time", "/administratoraccounts", "/microsoftlyncb2bua"):
        web.get(path).respond(html="<form><input name=x><input type=submit value=Other></form>")
    for operation in (
        ReadClusteringPage(),
        SetPreSharedKey(KEY),
        ReadTimeState(),
        ReadAdminAccounts(),
        ReadLyncB2bua(),
    ):
        with pytest.raises(NotSupported):
            await transport.perform(operation)


async def test_a_page_without_end_is_too_large(web, transport, monkeypatch):
    monkeypatch.setattr("transports.http.web_session.MAX_PAGE_BYTES", 1000)
    web.get("/time").respond(html="x" * 1001)
    with pytest.raises(ReplyTooLarge):
        await transport.perform(ReadTimeState())


async def test_a_backup_answered_by_a_page_is_refused_with_its_words(web, transport):
    page = (
        "<form method=post action=/backuprestore>"
        "<input type=submit name=submitbutton value='Create system backup file'></form>"
    )
    web.get("/backuprestore").respond(html=page)
    web.post("/backuprestore").respond(html="<b>Failed</b>: disk full")
    with pytest.raises(CommandRejected, match="disk full"):
        await transport.perform(CreateBackup(_drop))
    with pytest.raises(NotSupported, match="password"):
        await transport.perform(CreateBackup(_drop, password="p"))


async def test_more_cookies_than_a_session_needs_are_too_many(web, transport):
    many = [("set-cookie", f"c{n}=1; Path=/") for n in range(60)]
    web.get("/login").respond(html=LOGIN, headers=many)
    with pytest.raises(ReplyTooLarge):
        await transport.perform(ReadTimeState())


async def _drop(piece):
    pass
