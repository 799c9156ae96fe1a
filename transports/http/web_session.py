"""A logged-in visit to the web interface: cookies, forms, and logging in again when it expired.

Expiry shows as the log-in page in place of the wanted one. It is mended only where a page was
merely looked at: a form is always fetched just before it is sent, so a log-in page in answer to a
sent form means that something else ended the session, and whether the form took effect is unknown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit

from transports.base import Endpoint
from transports.errors import (
    ConnectionLost,
    Garbled,
    NotSent,
    NotSupported,
    OutcomeUnknown,
    TransportError,
)
from transports.http import pages as words
from transports.http.channel import Channel, Incoming, Request
from transports.http.credential import Credential
from transports.http.form import Field, Form, Page, read_page
from transports.http.multipart import Upload
from transports.http.options import HttpOptions
from transports.http.verdict import check_status, wants_login

T = TypeVar("T")

MAX_PAGE_BYTES = 2 * 1024 * 1024
_URLENCODED = "application/x-www-form-urlencoded"


class _Expired(Exception):
    """The appliance shows the log-in page where another was asked for."""


@dataclass(frozen=True)
class Visit:
    """A page and the path it was found at; `onward` where the answer sent us to look there."""

    page: Page
    path: str
    onward: str | None = None


class WebSession:
    """The web interface through one channel, as one logged-in administrator."""

    def __init__(
        self, endpoint: Endpoint, options: HttpOptions, channel: Channel, credential: Credential
    ) -> None:
        self._limits = endpoint.limits
        self._pages = options.pages
        self._channel = channel
        self._credential = credential
        self._landing: Visit | None = None
        self._logged_in = False

    async def within(self, action: Callable[[], Awaitable[T]]) -> T:
        """Run the action in a logged-in session; once more after logging in again if it expired."""
        async with self._channel.turn:
            if not self._logged_in:
                await self._log_in()
            try:
                return await action()
            except _Expired:
                await self._log_in()
            try:
                return await action()
            except _Expired:
                raise self._credential.declined() from None

    async def visit(self, name: str) -> Visit:
        """The page of that name. Raises NotSupported where the appliance does not have it."""
        address = self._pages[name]
        try:
            return await self._look(address.path)
        except NotSupported:
            found = None if address.moved else await self._in_menu(address.link)
            if found is None or found == address.path:
                raise NotSupported(f"the web interface has no page {address.menu!r}") from None
        return await self._look(found)

    async def press(
        self,
        visit: Visit,
        form: Form,
        button: Field,
        changes: Mapping[str, str | None] | None = None,
    ) -> Visit:
        """Send the form as it stands but for the changes; the page that answers."""
        fields = form.filled(changes or {}, button)
        request = self._fields(visit, form, fields, self._limits.reply)
        return await self._settled(await self._channel.send(request, self._answer_to(visit)))

    async def upload(self, visit: Visit, form: Form, upload: Upload) -> Visit:
        """Send a file; the page that answers."""
        request = self._posting(
            visit,
            form,
            upload.content_type,
            upload.pieces(),
            length=upload.length,
            seconds=self._limits.transfer,
        )
        return await self._settled(await self._channel.send(request, self._answer_to(visit)))

    async def download(
        self,
        visit: Visit,
        form: Form,
        fields: Sequence[tuple[str, str]],
        receive: Callable[[Incoming], Awaitable[T]],
    ) -> T | Visit:
        """Send the form; what `receive` makes of the file, or the page that came instead."""
        request = self._fields(visit, form, fields, self._limits.transfer)

        async def either(reply: Incoming) -> T | Visit:
            is_page = "html" in reply.content_type and not reply.disposition
            if is_page or reply.status != 200:
                return await self._answer_to(visit)(reply)
            return await receive(reply)

        return await self._channel.send(request, either)

    def _posting(
        self,
        visit: Visit,
        form: Form,
        content_type: str,
        content: bytes | AsyncIterator[bytes],
        *,
        length: int,
        seconds: float,
    ) -> Request:
        headers = {
            "content-type": content_type,
            "content-length": str(length),
            "referer": self._channel.base + visit.path,
        }
        target = self._target(form.action, visit.path)
        return Request("POST", target, seconds, headers, content)

    def _fields(
        self, visit: Visit, form: Form, fields: Sequence[tuple[str, str]], seconds: float
    ) -> Request:
        body = urlencode(fields).encode()
        return self._posting(visit, form, _URLENCODED, body, length=len(body), seconds=seconds)

    def _answer_to(self, visit: Visit) -> Callable[[Incoming], Awaitable[Visit]]:
        async def judged(reply: Incoming) -> Visit:
            body = b"" if reply.status >= 300 else await reply.body(MAX_PAGE_BYTES)
            if wants_login(reply.status, reply.location, body):
                self._logged_in = False
                raise ConnectionLost("the appliance ended our session when the form was sent")
            check_status(reply.status)
            if reply.status >= 300:
                return Visit(Page(), visit.path, self._target(reply.location, visit.path))
            return Visit(read_page(body.decode("utf-8", "replace")), visit.path)

        return judged

    async def _settled(self, answer: Visit) -> Visit:
        """The page that tells how it went, where the answer only says where that page is."""
        if answer.onward is None:
            return answer
        try:
            return await self._look(answer.onward)
        except _Expired:
            raise ConnectionLost("our session ended when the form was sent") from None
        except NotSent as error:
            # The form itself was taken: a restart may be under way already.
            raise ConnectionLost(f"after the form was taken: {error}") from error

    async def _look(self, path: str) -> Visit:
        async def judged(reply: Incoming) -> Visit:
            body = await reply.body(MAX_PAGE_BYTES)
            if wants_login(reply.status, reply.location, body):
                self._logged_in = False
                raise _Expired
            check_status(reply.status)
            if reply.status >= 300:
                raise Garbled("a page of the web interface redirects elsewhere")
            return Visit(read_page(body.decode("utf-8", "replace")), path)

        return await self._channel.send(Request("GET", path, self._limits.reply), judged)

    async def _log_in(self) -> None:
        path = self._pages["login"].path
        self._logged_in = False
        self._channel.cookies.clear()
        async with self._credential.given_out() as password:
            shown = await self._channel.send(
                Request("GET", path, self._limits.reply), self._log_in_page
            )
            name_field, password_field = words.LOG_IN_FIELDS
            # Copied from the page's own form where it has one: hidden fields belong to it.
            hidden = [
                (control.name, control.value)
                for form in shown.forms
                if form.of_kind("password")
                for control in form.of_kind("hidden")
                if control.name not in words.LOG_IN_BUTTONS
            ]
            fields = [
                *hidden,
                (name_field, self._credential.username),
                (password_field, password),
                *words.LOG_IN_BUTTONS.items(),
            ]
            headers = {
                "content-type": _URLENCODED,
                "referer": self._channel.base + path,
            }
            body = urlencode(fields).encode()
            request = Request("POST", path, self._limits.reply, headers, body)
            self._landing = await self._channel.send(request, self._log_in_answer)
            self._credential.accepted()
        self._logged_in = True

    async def _log_in_page(self, reply: Incoming) -> Page:
        check_status(reply.status)
        body = await reply.body(MAX_PAGE_BYTES)
        return read_page(body.decode("utf-8", "replace"))

    async def _log_in_answer(self, reply: Incoming) -> Visit:
        body = await reply.body(MAX_PAGE_BYTES)
        page = read_page(body.decode("utf-8", "replace"))
        again = any(form.of_kind("password") and form.button(words.LOG_IN) for form in page.forms)
        if again or wants_login(reply.status, reply.location, body):
            raise self._credential.declined()
        check_status(reply.status)
        path = self._pages["login"].path
        onward = self._target(reply.location, path) if reply.status >= 300 else None
        return Visit(page, path, onward)

    async def _in_menu(self, link: str) -> str | None:
        if self._landing is not None and self._landing.onward is not None:
            self._landing = await self._look(self._landing.onward)
        for shown, address in self._landing.page.links if self._landing is not None else []:
            if shown.casefold() == link.casefold() and words.is_local_path(address):
                return address
        return None

    def _target(self, action: str, path: str) -> str:
        """The path a form goes to. Raises Garbled where it would leave this server."""
        try:
            target = urlsplit(urljoin(self._channel.base + path, action.strip()))
            here = _origin(target) == _origin(urlsplit(self._channel.base))
        except ValueError:
            raise Garbled("a form of the web interface leads nowhere") from None
        local = (target.path or "/") + (f"?{target.query}" if target.query else "")
        if not here or not words.is_local_path(local):
            raise Garbled("a form of the web interface leads to another server")
        return local

    async def answers(self) -> bool:
        """Whether the web interface shows a page to us now, logging in where needed."""
        try:
            await self.within(lambda: self.visit("clustering"))
        except NotSupported:
            return True  # it answered, logged us in, and has that page elsewhere
        except TransportError as error:
            return _not_yet(error)
        return True


def _origin(address: SplitResult) -> tuple[str, str | None, int]:
    return address.scheme, address.hostname, address.port or 443


def _not_yet(error: TransportError) -> bool:
    """False for an appliance that is away or coming back; raises what needs a person."""
    if isinstance(error, NotSent | OutcomeUnknown | Garbled):
        return False
    raise error
