"""The switches of one HTTPS endpoint, read once and refused when they are not understood.

web_forms   true|false (default true)   offer what only the web pages can do
xml_api     true|false (default true)   offer status, configuration, settings and commands;
                                        false makes this a companion of an SSH transport
read_by     getxml|documents (getxml)   ask for a part of the tree, or fetch the whole document
write_by    putxml|formputxml (putxml)  how documents are posted (device facts 5)
legacy_tls  true|false (default false)  admit TLS 1.0/1.1 and old ciphers
page.<name> a path such as /clustering  where a web page lives on this software
                                        (the paths not on record: transports.http.pages)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transports.errors import InvalidRequest
from transports.http.pages import PageMap


@dataclass(frozen=True)
class HttpOptions:
    """What an endpoint's options mean."""

    web_forms: bool
    xml_api: bool
    whole_documents: bool
    form_encoded: bool
    legacy_tls: bool
    pages: PageMap

    @classmethod
    def read(cls, options: Mapping[str, str]) -> HttpOptions:
        """Raises InvalidRequest for an unknown option or value, and where nothing is left on."""
        rest = dict(options)
        moved = {
            key.removeprefix("page."): rest.pop(key) for key in options if key.startswith("page.")
        }
        read = cls(
            web_forms=_choice(rest, "web_forms", ("true", "false")) == "true",
            xml_api=_choice(rest, "xml_api", ("true", "false")) == "true",
            whole_documents=_choice(rest, "read_by", ("getxml", "documents")) == "documents",
            form_encoded=_choice(rest, "write_by", ("putxml", "formputxml")) == "formputxml",
            legacy_tls=_choice(rest, "legacy_tls", ("false", "true")) == "true",
            pages=PageMap.moved(moved),
        )
        if rest:
            raise InvalidRequest(f"unknown options for http: {', '.join(sorted(rest))}")
        if not (read.web_forms or read.xml_api):
            raise InvalidRequest("an http endpoint needs xml_api or web_forms")
        return read


def _choice(options: dict[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = options.pop(name, allowed[0])
    if value not in allowed:
        raise InvalidRequest(f"option {name} must be one of {', '.join(allowed)}")
    return value
