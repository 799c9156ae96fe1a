"""The web pages of a simulated appliance, drawn as its old PHP pages would be.

The words on them are the guide's and the recorded ones (samples/web_*); the field names of the
log-in and backup pages are recorded, all others, and all but two paths, are NOT on record and ours.
The markup is deliberately that of its time: tables, unclosed tags, labels here and there, so that
whoever reads these pages has to be as tolerant as a browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from transports.mock.profile import DeviceProfile
from transports.mock.web import ClusteringForm

PATHS: Mapping[str, str] = {
    "login": "/login",
    "overview": "/overview",
    "clustering": "/clustering",
    "time": "/time",
    "backup": "/backuprestore",
    "upgrade": "/upgrade",
    "restart": "/restart",
    "administrators": "/administratoraccounts",
    "lync": "/microsoftlyncb2bua",
}
"""Page name to path; `/login` and `/backuprestore` are on record."""
MASKED_KEY = "********"
"""What the field of a pre-shared key that is set shows, and sends back when left alone."""
_MENU = (
    ("System", "Clustering", "clustering"),
    ("System", "Time", "time"),
    ("Users", "Administrator accounts", "administrators"),
    ("Applications", "Configuration", "lync"),
    ("Maintenance", "Upgrade", "upgrade"),
    ("Maintenance", "Backup and restore", "backup"),
    ("Maintenance", "Restart options", "restart"),
)


@dataclass(frozen=True)
class Frame:
    """What all pages of one session share: the paths, the menu and the token in every form."""

    paths: Mapping[str, str]
    token: str = field(repr=False)

    def page(self, title: str, inner: str, message: str = "") -> str:
        """A page with its menu, and the message of what was done before."""
        menu = "".join(
            f'<li><a href="{escape(self.paths[name])}">{words}</a>' for _, words, name in _MENU
        )
        return (
            f"<!DOCTYPE html>\n<html><head><title>{escape(title)}</title>"
            "<script>if (1 < 2 && top != self) { top.location = '<form>'; }</script></head>\n"
            f'<body><ul id="menu">{menu}</ul><h2>{escape(title)}</h2>\n{message}\n{inner}'
            "<!-- <input name='never'> --></body></html>\n"
        )

    def form(self, name: str, inner: str, *, files: bool = False) -> str:
        """A form of a page, with the session's token."""
        kind = ' enctype="multipart/form-data"' if files else ""
        return (
            f'<form method="post" action="{escape(self.paths[name])}"{kind}>'
            f"<input type=hidden name='sessionid' value=\"{escape(self.token)}\">\n"
            f"{inner}</form>\n"
        )


def success(words: str = "Saved") -> str:
    """The message of a page that did what was asked."""
    return f'<div class="msg"><b>Success</b>: {escape(words)}</div>'


def failed(words: str) -> str:
    """The message of a page that declined."""
    return f'<div class="msg"><b>Failed</b>: {escape(words)}</div>'


def login(path: str, message: str = "") -> str:
    """The log-in page."""
    return (
        "<!DOCTYPE html>\n<html><head><title>Login</title></head><body>"
        f"{message}<form method=POST action='{escape(path)}'><table>"
        "<tr><td>Username<td><input type=text name=username>"
        "<tr><td>Password<td><input type=password name=password></table>"
        '<input type="hidden" name="formbutton" value="Login">'
        '<input type="submit" name="submitButton" value="Login"></form></body></html>\n'
    )


def http_error(status: int, phrase: str) -> str:
    """A page as Apache makes it."""
    return (
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'
        f"<html><head>\n<title>{status} {phrase}</title>\n</head><body>\n"
        f"<h1>{phrase}</h1>\n</body></html>\n"
    )


def clustering(
    frame: Frame, shown: ClusteringForm, profile: DeviceProfile, message: str = ""
) -> str:
    """System > Clustering: the fields in the guide's words, a status word beside each peer."""
    primary = "master" if profile.master_word == "master" else "primary"
    kind = "address" if profile.peers_by_name else "IP address"
    options = "".join(
        f'<option value="{n}"{" selected" if n == shown.master else ""}>{n}</option>'
        for n in range(1, 7)
    )
    name = escape(shown.cluster_name)
    rows = [
        '<tr><td><label for="cn">Cluster name</label></td>',
        f'<td><input id="cn" type="text" name="cluster_name" value="{name}"></td></tr>',
        f"<tr><td>Configuration {primary}</td>",
        f"<td><select name='configuration_master'>{options}</select></td></tr>",
    ]
    if profile.has_pre_shared_key:
        masked = MASKED_KEY if shown.key_set else ""
        rows.append(
            "<tr><td>Cluster pre-shared key</td><td><input type=password name=pre_shared_key "
            f'value="{masked}" autocomplete=off></td></tr>'
        )
    for n, peer in enumerate(shown.peers, start=1):
        word = shown.statuses[n - 1] if peer and n <= len(shown.statuses) else ""
        rows.append(
            f'<tr><td>Peer {n} {kind}</td><td><input name="peer_{n}_address" '
            f'value="{escape(peer)}"> <span class=status>{escape(word)}</span></td></tr>'
        )
    inner = f"<table>{''.join(rows)}</table><input type=submit name=submitbutton value=Save>"
    status = (
        f"<h3>Cluster database status</h3><p>{escape(shown.database_status)}"
        if shown.database_status
        else ""
    )
    return frame.page("Clustering", frame.form("clustering", inner) + status, message)


def time(frame: Frame, state: str) -> str:
    """System > Time, with its Status section."""
    inner = (
        "<h3>NTP servers</h3><table><tr><td>State</td><td>see below</td></tr></table>"
        f"<h3>Status</h3><table><tr><td>State:</td><td>{escape(state)}</td></tr></table>"
    )
    return frame.page("Time", inner)


def backup(frame: Frame, message: str = "") -> str:
    """Maintenance > Backup and restore: one form to create, one to restore."""
    create = frame.form(
        "backup",
        "Encryption password <input type=password name=backup_password>"
        "Re-enter encryption password <input type=password name=backup_password_confirm>"
        '<input type=submit name=submitbutton value="Create system backup file">',
    )
    restore = frame.form(
        "backup",
        "Restore file <input type=file name=restore_file>"
        "Decryption password <input type=password name=restore_password>"
        '<input type=submit name=submitbutton value="Upload system backup file">',
        files=True,
    )
    return frame.page("Backup and restore", create + restore, message)


def continuing(frame: Frame, name: str, title: str, button: str) -> str:
    """The page between an upload and what is done with it."""
    inner = (
        "<p>The file has been uploaded."
        f'<input type=submit name=submitbutton value="{escape(button)}">'
        "<input type=submit name=submitbutton value=Cancel>"
    )
    return frame.page(title, frame.form(name, inner))


def upgrade(frame: Frame, message: str = "") -> str:
    """Maintenance > Upgrade."""
    inner = (
        "<table><tr><td>Release key<td><input name=release_key>"
        "<tr><td>Upgrade file<td><input type=file name=upgrade_file></table>"
        "<input type=submit name=submitbutton value=Upgrade>"
    )
    return frame.page("Upgrade", frame.form("upgrade", inner, files=True), message)


def restart(frame: Frame, message: str = "") -> str:
    """Maintenance > Restart options."""
    inner = (
        "<input type=submit name=submitbutton value=Restart>"
        "<input type=submit name=submitbutton value=Reboot>"
        "<input type=submit name=submitbutton value=Shutdown>"
    )
    return frame.page("Restart options", frame.form("restart", inner), message)


def confirm(frame: Frame, name: str, hidden: Mapping[str, str]) -> str:
    """`Are you sure?`, with OK and Cancel."""
    kept = "".join(
        f'<input type=hidden name="{escape(key)}" value="{escape(value)}">'
        for key, value in hidden.items()
    )
    inner = (
        f"{kept}<p>Are you sure?<input type=submit name=confirm value=OK>"
        "<input type=submit name=confirm value=Cancel>"
    )
    return frame.page("Confirm", frame.form(name, inner))


def administrators(frame: Frame, names: Sequence[str], message: str = "") -> str:
    """Users > Administrator accounts; the default account cannot be ticked."""
    rows = "".join(
        "<tr><td>"
        + ("" if name == "admin" else f'<input type=checkbox name="select_{escape(name)}">')
        + f"<td><a href='/account?name={escape(name)}'>{escape(name)}</a><td>Enabled"
        for name in names
    )
    inner = (
        f"<table><tr><th><th>Name<th>State</tr>{rows}</table>"
        "<input type=submit name=submitbutton value=New>"
        "<input type=submit name=submitbutton value=Delete>"
    )
    return frame.page("Administrator accounts", frame.form("administrators", inner), message)


def lync(frame: Frame, enabled: bool, message: str = "") -> str:
    """Applications > B2BUA > Microsoft Lync > Configuration."""
    marks = ("", " selected") if enabled else (" selected", "")
    inner = (
        "<tr><td>Microsoft Lync B2BUA</td><td><select name=lync_b2bua>"
        f"<option value=0{marks[0]}>Disabled<option value=1{marks[1]}>Enabled</select></tr>"
        "<input type=submit name=submitbutton value=Save>"
    )
    return frame.page("Microsoft Lync configuration", frame.form("lync", inner), message)
