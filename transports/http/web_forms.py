"""What has no API in X8.2, done through the web pages as the guide tells a person to.

Each function works inside a logged-in session: it fetches the page, changes what it is asked to in
the page's own form, sends it with everything else unchanged, and reads the page's own verdict
(`Success: ...` or `Failed: ...`; device facts 7). Where the page does not have the form or the
field the guide names, the answer is NotSupported, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from transports.base import (
    BackupReceipt,
    ClusteringPage,
    CreateBackup,
    InstallSoftware,
    PeerField,
    RestoreBackup,
)
from transports.errors import (
    CommandRejected,
    ConnectionLost,
    Garbled,
    InvalidRequest,
    NotSent,
    NotSupported,
)
from transports.http import pages as words
from transports.http.archive import BackupSink, file_name
from transports.http.channel import Incoming
from transports.http.form import Field, Form, Page
from transports.http.multipart import upload_of
from transports.http.web_session import Visit, WebSession

MAX_PEERS = 6
MAX_CONFIRMATIONS = 3
_WORDS_KEPT = 300


async def read_clustering(web: WebSession) -> ClusteringPage:
    """System > Clustering. A pre-shared key counts as set where its field is filled in."""
    visit = await web.visit("clustering")
    form, _ = _form(visit, words.SAVE)
    name = _field(form, words.CLUSTER_NAME)
    key = _labelled(form, words.PRE_SHARED_KEY)
    master = _labelled(form, words.CONFIGURATION_MASTER)
    peers = []
    for index in range(1, MAX_PEERS + 1):
        line = _labelled(form, [label.format(index) for label in words.PEER_ADDRESS])
        if line is not None and line.value.strip():
            peers.append(PeerField(index, line.value.strip(), line.note.strip()))
    return ClusteringPage(
        cluster_name=name.value.strip(),
        # Without peers the number points at nothing.
        configuration_master=_number(master.shown()) if master and peers else None,
        pre_shared_key_set=bool(key.value) if key else None,
        peers=tuple(peers),
        database_status=_word(visit.page, words.DATABASE_STATUS),
    )


async def set_pre_shared_key(web: WebSession, key: str) -> None:
    """Enter the key on System > Clustering and save; all other fields stay as they are."""
    if any(not character.isprintable() for character in key):
        raise InvalidRequest("a pre-shared key may not contain control characters")
    visit = await web.visit("clustering")
    form, save = _form(visit, words.SAVE)
    line = _field(form, words.PRE_SHARED_KEY)
    answer = await web.press(visit, form, save, {line.name: key})
    _demand_success(answer.page, secret=key)


async def read_time_state(web: WebSession) -> str:
    """The State word in the Status section of System > Time."""
    page = (await web.visit("time")).page
    for label in words.TIME_STATE:
        state = page.word_after(label, after=words.TIME_STATUS_SECTION)
        if state:
            return state
    raise NotSupported("System > Time shows no State")


async def restart(web: WebSession) -> None:
    """Maintenance > Restart options > Restart, and OK where the page asks again."""
    visit = await web.visit("restart")
    form, button = _form(visit, words.RESTART)
    await _confirmed(web, await web.press(visit, form, button), words.CONFIRM)


async def create_backup(web: WebSession, request: CreateBackup) -> BackupReceipt:
    """Maintenance > Backup and restore > Create system backup file, streamed to the caller."""
    visit = await web.visit("backup")
    form, button = _form(visit, words.CREATE_BACKUP)
    changes = _passwords(form, request.password)

    async def receive(reply: Incoming) -> BackupReceipt:
        sink = BackupSink(file_name(reply.disposition), request.write)
        async for piece in reply.pieces():
            await sink.take(piece)
        return sink.finished()

    got = await web.download(visit, form, form.filled(changes, button), receive)
    if isinstance(got, Visit):
        _refuse_failure(got.page, secret=request.password)
        raise Garbled("the appliance answered the request for a backup with a page")
    return got


async def restore_backup(web: WebSession, request: RestoreBackup) -> None:
    """Upload system backup file, then Continue with system restore. The appliance restarts."""
    visit = await web.visit("backup")
    form, button = _form(visit, words.UPLOAD_BACKUP)
    fields = form.filled(_passwords(form, request.password), button)
    upload = await upload_of(fields, _file_field(form), request.file_name, request.read)
    answer = await web.upload(visit, form, upload)
    _refuse_failure(answer.page, secret=request.password)
    if answer.page.form_with_button(words.CONTINUE_RESTORE) is None:
        raise Garbled("after the upload the page does not offer to continue with the restore")
    await _confirmed(web, answer, (*words.CONTINUE_RESTORE, *words.CONFIRM))


async def install_software(web: WebSession, request: InstallSoftware) -> None:
    """Maintenance > Upgrade: upload the image, with the release key where one is given."""
    visit = await web.visit("upgrade")
    form, button = _form(visit, words.UPGRADE)
    changes = (
        {_field(form, words.RELEASE_KEY).name: request.release_key} if request.release_key else {}
    )
    fields = form.filled(changes, button)
    upload = await upload_of(fields, _file_field(form), request.file_name, request.read)
    answer = await web.upload(visit, form, upload)
    await _confirmed(web, answer, words.CONTINUE_UPGRADE)


async def read_admin_accounts(web: WebSession) -> tuple[str, ...]:
    """The Name column of Users > Administrator accounts."""
    page = (await web.visit("administrators")).page
    return tuple(name for name, _ in _accounts(page))


async def delete_admin_account(web: WebSession, name: str) -> None:
    """Tick the account on Users > Administrator accounts and press Delete."""
    if name.casefold() == "admin":
        # The guide deletes all accounts but this one, and the page does not offer it.
        raise CommandRejected("the default administrator account cannot be deleted")
    visit = await web.visit("administrators")
    row = next((row for listed, row in _accounts(visit.page) if listed == name), None)
    if row is None:
        raise CommandRejected(f"there is no administrator account {name!r}")
    form, button = _form(visit, words.DELETE)
    tick = next((box for box in form.of_kind("checkbox") if box.row - 1 == row), None)
    if tick is None:
        raise NotSupported("the page does not let this account be selected")
    for box in form.of_kind("checkbox"):
        box.chosen = box is tick
    answer = await web.press(visit, form, button)
    await _confirmed(web, answer, words.CONFIRM)


async def read_lync_b2bua(web: WebSession) -> bool:
    """Whether the field Microsoft Lync B2BUA shows Enabled."""
    form, _ = _form(await web.visit("lync"), words.SAVE)
    shown = _field(form, words.LYNC_B2BUA).shown().strip().casefold()
    if shown not in ("enabled", "disabled"):
        raise Garbled("the field Microsoft Lync B2BUA is neither Enabled nor Disabled")
    return shown == "enabled"


async def set_lync_b2bua(web: WebSession, enabled: bool) -> None:
    """Change the field Microsoft Lync B2BUA and save."""
    visit = await web.visit("lync")
    form, save = _form(visit, words.SAVE)
    line = _field(form, words.LYNC_B2BUA)
    value = line.value_for("Enabled" if enabled else "Disabled")
    if value is None:
        raise NotSupported("the field Microsoft Lync B2BUA does not offer that")
    _demand_success((await web.press(visit, form, save, {line.name: value})).page)


async def _confirmed(web: WebSession, answer: Visit, captions: Sequence[str]) -> None:
    """Press on while the page asks for confirmation, and refuse where it says Failed."""
    for _ in range(MAX_CONFIRMATIONS):
        _refuse_failure(answer.page)
        asked = answer.page.form_with_button(captions)
        if asked is None:
            return
        try:
            answer = await web.press(answer, *asked)
        except NotSent as error:
            raise ConnectionLost(f"after the form was taken: {error}") from error
    _refuse_failure(answer.page)
    if answer.page.form_with_button(captions) is not None:
        raise Garbled("the web interface asks for confirmation again and again")


def _form(visit: Visit, captions: Iterable[str]) -> tuple[Form, Field]:
    captions = tuple(captions)
    found = visit.page.form_with_button(captions)
    if found is None:
        raise NotSupported(f"the page {visit.path} has no button {captions[0]!r}")
    return found


def _labelled(form: Form, labels: Iterable[str]) -> Field | None:
    for label in labels:
        found = form.by_label(label)
        if found is not None:
            return found
    return None


def _field(form: Form, labels: Sequence[str]) -> Field:
    found = _labelled(form, labels)
    if found is None:
        raise NotSupported(f"the page has no field {labels[0]!r}")
    return found


def _file_field(form: Form) -> str:
    files = form.of_kind("file")
    if len(files) != 1 or not files[0].name:
        raise NotSupported("the form does not take exactly one file")
    return files[0].name


def _passwords(form: Form, password: str) -> Mapping[str, str]:
    """All password fields of the form, filled alike: one is the repetition of the other."""
    fields = form.of_kind("password")
    if password and not fields:
        raise NotSupported("the form takes no password")
    return {line.name: password for line in fields}


def _word(page: Page, labels: Iterable[str]) -> str:
    return next((word for label in labels if (word := page.word_after(label))), "")


def _number(shown: str) -> int | None:
    words_shown = shown.split()
    first = words_shown[0] if words_shown else ""
    return int(first) if first.isascii() and first.isdigit() and len(first) < 3 else None


def _accounts(page: Page) -> list[tuple[str, int]]:
    """Name and row of each account in the table whose heading has a Name column."""
    column: int | None = None
    found: list[tuple[str, int]] = []
    for position, cells in enumerate(page.rows):
        if column is None:
            headings = [cell.casefold() for cell in cells]
            names = [name.casefold() for name in words.ACCOUNT_NAME]
            column = next((i for i, cell in enumerate(headings) if cell in names), None)
        elif column < len(cells) and cells[column]:
            found.append((cells[column], position))
    if column is None:
        raise NotSupported("the page lists no accounts by name")
    return found


def _outcome(page: Page) -> tuple[str, str]:
    """`success`, `failed` or "", and the words behind it.

    A colon must follow: `Failed` alone is also the status word of a peer.
    """
    for position, text in enumerate(page.texts):
        head, colon, tail = text.partition(":")
        following = page.texts[position + 1] if position + 1 < len(page.texts) else ""
        if head.strip().casefold() not in ("success", "failed"):
            continue
        if colon:
            return head.strip().casefold(), tail.strip() or following
        if following.startswith(":"):
            return head.strip().casefold(), following[1:].strip()
    return "", ""


def _refuse_failure(page: Page, *, secret: str = "") -> None:
    outcome, said = _outcome(page)
    if outcome == "failed":
        # The page may repeat what was entered.
        kept = said.replace(secret, "***") if secret else said
        kept = "".join(c if c.isprintable() else " " for c in kept)[:_WORDS_KEPT]
        raise CommandRejected(f"the web interface refused: {kept}", description=kept)


def _demand_success(page: Page, *, secret: str = "") -> None:
    _refuse_failure(page, secret=secret)
    if _outcome(page)[0] != "success":
        raise Garbled("the web interface does not say whether it saved the change")
