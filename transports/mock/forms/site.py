"""The web server of a simulated appliance between the socket and the state: who may, and what.

Two ways in, as on the appliance: HTTP Basic for the XML API, a log-in form with cookies for the
pages. A page session ends when it has been idle too long and when the appliance restarts; each form
must bring back the token of its session.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from transports.mock.accounts import Login
from transports.mock.configuration import DeviceRefusal
from transports.mock.expressway import Expressway
from transports.mock.forms import pages, xml_documents
from transports.mock.forms.wire import HttpRequest, HttpResponse
from transports.mock.web import ClusteringForm, WebInterface

COOKIES = ("SHARPID", "tandberg_login")
"""The cookies of a session as tools in the field send them (facts 7)."""
MAX_SESSIONS = 100
_ACCOUNT = "Authentication Account Admin Account"
_DOCUMENTS = {
    "/status.xml": "/Status",
    "/configuration.xml": "/Configuration",
    "/alternatesconfiguration.xml": "/Configuration/Alternates",
}
_XML_PATHS = frozenset({*_DOCUMENTS, "/getxml", "/putxml", "/formputxml"})


class Banned(Exception):
    """The client's address is refused: the connection ends without a word."""


@dataclass
class Session:
    """One log-in to the pages."""

    user: str
    token: str = field(repr=False)
    used_at: float
    uploaded: bytes = field(default=b"", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Planned:
    """What a request comes to: its occasion for the fleet's faults, and how to carry it out."""

    occasion: str
    request: HttpRequest = field(repr=False)
    act: xml_documents.XmlAct | None = None
    session: Session | None = None
    page: str = ""


class Site:
    """The web server's content and its sessions."""

    def __init__(self, device: Expressway, paths: Mapping[str, str]) -> None:
        self._device = device
        self._web = WebInterface(device)
        self._paths = dict(paths)
        self._names = {path: name for name, path in self._paths.items()}
        self._sessions: dict[str, Session] = {}
        self._booted_at = device.booted_at

    def expire_sessions(self) -> None:
        """End all page sessions, as idleness does."""
        self._sessions.clear()

    def plan(self, request: HttpRequest, client: str) -> Planned | HttpResponse:
        """What the request comes to, or the answer where it goes no further.

        Raises Banned where the client's address is, or has just become, refused.
        """
        if request.method not in ("GET", "POST"):
            return _error(405, "Method Not Allowed")
        if request.path in _XML_PATHS:
            return self._plan_xml(request, client)
        name = self._names.get(request.path.rstrip("/") or "/overview", "")
        if name == "login":
            return self._log_in(request, client)
        session = self._session(request)
        if session is None:
            return _redirect(self._paths["login"])
        if not name:
            return _error(404, "Not Found")
        verb = "web" if request.method == "POST" else "page"
        word = {"administrators": "accounts"}.get(name, name)
        return Planned(f"{verb} {word}", request, session=session, page=name)

    async def carry_out(self, planned: Planned) -> HttpResponse:
        """Do it and answer. Raises ConnectionResetError where the appliance goes down meanwhile."""
        if planned.act is not None:
            return _xml(xml_documents.answer(self._device, planned.act))
        session = planned.session
        if session is None:
            return _redirect(self._paths["login"])
        frame = pages.Frame(self._paths, session.token)
        if planned.request.method == "GET":
            return self._show(frame, planned.page)
        fields, files = planned.request.form()
        if not hmac.compare_digest(fields.get("sessionid", "").encode(), session.token.encode()):
            return self._show(frame, planned.page, pages.failed("The session token is not valid"))
        try:
            return await self._submit(frame, session, planned.page, fields, files)
        except DeviceRefusal as refusal:
            return self._show(frame, planned.page, pages.failed(refusal.description))

    def wrong_answer(self, planned: Planned, words: str) -> HttpResponse:
        """What a planned fault makes of it: not carried out, and answered as if unknown."""
        refusal = DeviceRefusal(words)
        if planned.act is not None:
            return _xml(xml_documents.refused(planned.act, refusal))
        frame = pages.Frame(self._paths, planned.session.token if planned.session else "")
        return self._show(frame, planned.page, pages.failed(words))

    # The XML API

    def _plan_xml(self, request: HttpRequest, client: str) -> Planned | HttpResponse:
        user = self._basic(request, client)
        if user is not None and not self._may(user, "AccessAPI"):
            return _error(403, "Forbidden")
        if user is None:
            body = pages.http_error(401, "Authorization Required").encode()
            challenge = ("WWW-Authenticate", 'Basic realm="TANDBERG VCS"')
            return HttpResponse(401, body, "text/html; charset=iso-8859-1", (challenge,))
        try:
            if request.path in _DOCUMENTS:
                act = xml_documents.reading(_DOCUMENTS[request.path])
            elif request.path == "/getxml":
                act = xml_documents.reading(request.query.get("location", ""))
            elif request.path == "/formputxml":
                sent = request.form()[0] if request.method == "POST" else request.query
                act = xml_documents.posting(sent.get("xmldoc", "").encode())
            elif request.method == "POST":
                act = xml_documents.posting(request.body)
            else:
                return _error(405, "Method Not Allowed")
        except xml_documents.NotUnderstood as error:
            return _xml(xml_documents.xpath_error("Status", str(error)))
        return Planned(act.occasion, request, act)

    def _basic(self, request: HttpRequest, client: str) -> str | None:
        """The user whose right password the request carries."""
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user if self._allowed(user, password, client) else None

    def _may(self, user: str, access: str) -> bool:
        """Whether the account has `AccessAPI` or `AccessWeb`; the default account has both."""
        get = self._device.configuration.get
        for index in self._device.configuration.records(_ACCOUNT):
            if get(f"{_ACCOUNT} {index} Name") == user:
                return get(f"{_ACCOUNT} {index} {access}") != "Off"
        return True

    def _allowed(self, user: str, password: str, client: str) -> bool:
        outcome = self._device.log_in(user, password, client=client, category="web-auth")
        if outcome is Login.BANNED:
            raise Banned
        return outcome is Login.OK

    # Sessions

    def _log_in(self, request: HttpRequest, client: str) -> HttpResponse:
        path = self._paths["login"]
        if request.method == "GET":
            return self._html(pages.login(path))
        fields, _ = request.form()
        pressed = "submitButton" in fields or "submitbutton" in fields
        user = fields.get("username", "")
        allowed = pressed and self._allowed(user, fields.get("password", ""), client)
        if not allowed or not self._may(user, "AccessWeb"):
            return self._html(pages.login(path, pages.failed("Log-in failed")))
        self._forget_old()
        key = secrets.token_hex(16)
        self._sessions[key] = Session(user, secrets.token_hex(16), self._device.clock.now())
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        marks = "Path=/; Secure; HttpOnly"
        headers = (
            ("Location", self._paths["overview"]),
            ("Set-Cookie", f"{COOKIES[0]}={key}; {marks}"),
            ("Set-Cookie", f"{COOKIES[1]}={user}; {marks}"),
        )
        return HttpResponse(302, headers=headers)

    def _session(self, request: HttpRequest) -> Session | None:
        self._forget_old()
        session = self._sessions.get(request.cookies().get(COOKIES[0], ""))
        if session is not None:
            session.used_at = self._device.clock.now()
        return session

    def _forget_old(self) -> None:
        if self._booted_at != self._device.booted_at:
            self._booted_at = self._device.booted_at
            self._sessions.clear()
        minutes = int(self._device.configuration.get("Management Session InactivityTimeout") or 0)
        oldest = self._device.clock.now() - minutes * 60
        if minutes:
            self._sessions = {k: s for k, s in self._sessions.items() if s.used_at > oldest}

    # Pages

    def _show(self, frame: pages.Frame, name: str, message: str = "") -> HttpResponse:
        web = self._web
        match name:
            case "clustering":
                profile = self._device.profile
                page = pages.clustering(frame, web.read_clustering(), profile, message)
            case "time":
                page = pages.time(frame, web.time_state())
            case "backup":
                page = pages.backup(frame, message)
            case "upgrade":
                page = pages.upgrade(frame, message)
            case "restart":
                page = pages.restart(frame, message)
            case "administrators":
                page = pages.administrators(frame, web.admin_accounts(), message)
            case "lync":
                page = pages.lync(frame, web.lync_b2bua(), message)
            case _:
                page = frame.page("Overview", "<p>Expressway", message)
        return self._html(page)

    async def _submit(
        self,
        frame: pages.Frame,
        session: Session,
        name: str,
        fields: Mapping[str, str],
        files: Mapping[str, bytes],
    ) -> HttpResponse:
        match name, fields.get("submitbutton", "") or fields.get("confirm", ""):
            case "clustering", "Save":
                self._web.save_clustering(self._clustering_form(fields))
            case "lync", "Save":
                self._web.set_lync_b2bua(fields.get("lync_b2bua") == "1")
            case "backup", "Create system backup file":
                return await self._create_backup(fields)
            case "backup", "Upload system backup file":
                session.uploaded = files.get("restore_file", b"")
                session.password = fields.get("restore_password", "")
                button = "Continue with system restore"
                return self._html(pages.continuing(frame, name, "Restore", button))
            case "backup", "Continue with system restore":
                await self._web.restore(session.uploaded, session.password)
                return self._html(frame.page("Restarting", "<p>The system is restarting."))
            case "upgrade", "Upgrade":
                session.uploaded = files.get("upgrade_file", b"")
                button = "Continue with upgrade"
                return self._html(pages.continuing(frame, name, "Upgrade", button))
            case "upgrade", "Continue with upgrade":
                version = await self._web.install(session.uploaded)
                done = f"{version} is installed and will be used on the next reboot"
                return self._show(frame, name, pages.success(done))
            case "restart", "Restart" | "Reboot" as kind:
                return self._html(pages.confirm(frame, name, {"kind": kind}))
            case "restart", "OK":
                act = self._web.reboot if fields.get("kind") == "Reboot" else self._web.restart
                act()
                return self._html(frame.page("Restarting", "<p>The system is restarting."))
            case "administrators", "Delete":
                ticked = [key for key in fields if key.startswith("select_")]
                return self._html(pages.confirm(frame, name, dict.fromkeys(ticked, "on")))
            case "administrators", "OK":
                for key in fields:
                    if key.startswith("select_"):
                        self._web.delete_admin_account(key.removeprefix("select_"))
            case _:
                return self._show(frame, name)
        return self._show(frame, name, pages.success())

    def _clustering_form(self, fields: Mapping[str, str]) -> ClusteringForm:
        shown = self._web.read_clustering()
        sent = fields.get("pre_shared_key")
        master = fields.get("configuration_master", "")
        return replace(
            shown,
            cluster_name=fields.get("cluster_name", shown.cluster_name),
            master=int(master) if master.isascii() and master.isdigit() else shown.master,
            peers=tuple(fields.get(f"peer_{n}_address", "").strip() for n in range(1, 7)),
            key=None if sent == pages.MASKED_KEY and shown.key_set else sent,
        )

    async def _create_backup(self, fields: Mapping[str, str]) -> HttpResponse:
        password = fields.get("backup_password", "")
        if password != fields.get("backup_password_confirm", ""):
            raise DeviceRefusal("The passwords do not match")
        made = await self._web.create_backup(password)
        attachment = ("Content-Disposition", f'attachment; filename="{made.file_name}"')
        return HttpResponse(200, made.data, "application/octet-stream", (attachment,))

    def _html(self, page: str) -> HttpResponse:
        return HttpResponse(200, page.encode())


def _xml(body: bytes) -> HttpResponse:
    return HttpResponse(200, body, "text/xml; charset=utf-8")


def _error(status: int, phrase: str) -> HttpResponse:
    return HttpResponse(status, pages.http_error(status, phrase).encode())


def _redirect(path: str) -> HttpResponse:
    return HttpResponse(302, headers=(("Location", path),))
