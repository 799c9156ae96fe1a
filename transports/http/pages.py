"""Where the web pages are and what their words are: the one place for facts about pages.

The guide gives the menu and the words on the pages; working public tools give /login and
/backuprestore with their field names (device facts 7, samples/web_*). Every other path is NOT on
record and marked so: it is a default that an endpoint can move (option `page.<name>`), and where
the appliance has nothing there, the page is looked for in the menu by its last word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from transports.errors import InvalidRequest

MAX_PATH = 200


@dataclass(frozen=True)
class PageAddress:
    """One page: how the guide calls it, its path, and whether that path is on record."""

    menu: str
    path: str
    on_record: bool = False
    moved: bool = False

    @property
    def link(self) -> str:
        """The words of its link in the menu."""
        return self.menu.rpartition(" > ")[2]


_PAGES: Mapping[str, PageAddress] = {
    "login": PageAddress("Login", "/login", on_record=True),
    "backup": PageAddress("Maintenance > Backup and restore", "/backuprestore", on_record=True),
    "clustering": PageAddress("System > Clustering", "/clustering"),
    "time": PageAddress("System > Time", "/time"),
    "restart": PageAddress("Maintenance > Restart options", "/restart"),
    "upgrade": PageAddress("Maintenance > Upgrade", "/upgrade"),
    "administrators": PageAddress("Users > Administrator accounts", "/administratoraccounts"),
    "lync": PageAddress(
        "Applications > B2BUA > Microsoft Lync > Configuration", "/microsoftlyncb2bua"
    ),
}


@dataclass(frozen=True)
class PageMap:
    """The pages of one endpoint."""

    pages: Mapping[str, PageAddress]

    @classmethod
    def moved(cls, paths: Mapping[str, str]) -> PageMap:
        """The pages with some at other paths. Raises InvalidRequest for an unknown name or path."""
        pages = dict(_PAGES)
        for name, path in paths.items():
            if name not in pages:
                known = ", ".join(sorted(pages))
                raise InvalidRequest(f"no page named {name!r} (pages: {known})")
            if not is_local_path(path):
                raise InvalidRequest(f"option page.{name} must be a path such as /clustering")
            pages[name] = replace(pages[name], path=path, moved=True)
        return cls(pages)

    def __getitem__(self, name: str) -> PageAddress:
        return self.pages[name]


def is_local_path(path: str) -> bool:
    """Whether the text is a path on the same server, and nothing else."""
    return (
        path.startswith("/")
        and not path.startswith("//")
        and len(path) <= MAX_PATH
        and path.isascii()
        and path.isprintable()
        and not set(path) & set(" \\<>\"'#")
    )


# Buttons. Several spellings: the first one a page has is pressed.
LOG_IN = ("Login", "Log in")
SAVE = ("Save",)
DELETE = ("Delete",)
RESTART = ("Restart",)
CREATE_BACKUP = ("Create system backup file",)
UPLOAD_BACKUP = ("Upload system backup file",)
CONTINUE_RESTORE = ("Continue with system restore",)
UPGRADE = ("Upgrade",)
CONFIRM = ("OK", "Confirm")
CONTINUE_UPGRADE = ("Continue with upgrade", *CONFIRM)

# Labels, as the guide prints them; later releases print the second ones.
CLUSTER_NAME = ("Cluster name",)
CONFIGURATION_MASTER = ("Configuration master", "Configuration primary")
PRE_SHARED_KEY = ("Cluster pre-shared key",)
PEER_ADDRESS = ("Peer {} IP address", "Peer {} address")
DATABASE_STATUS = ("Cluster database status",)
TIME_STATE = ("State",)
TIME_STATUS_SECTION = "Status"
RELEASE_KEY = ("Release key",)
LYNC_B2BUA = ("Microsoft Lync B2BUA",)
ACCOUNT_NAME = ("Name",)

LOG_IN_FIELDS = ("username", "password")
LOG_IN_BUTTONS = {"submitButton": "Login", "submitbutton": "Login", "formbutton": "Login"}
"""Public tools disagree on the button's name and each works, so all are sent (device facts 7)."""
