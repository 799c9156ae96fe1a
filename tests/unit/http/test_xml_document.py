"""XML in, nodes out; and nothing else out but errors of the tree."""

import contextlib
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.document import Node
from transports.errors import Garbled, ReplyTooLarge
from transports.http import xml_document
from transports.http.xml_document import parse_document

WARNINGS = b"""<Warnings item="1"><Warning item="69">
<ID item="1">4836f60e-02de-11e0-bb2e-abe08f6f1f29</ID>
<Reason item="1">Invalid release key - The release key is not valid</Reason></Warning></Warnings>"""

_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)
_values = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], max_codepoint=0xFFFD), max_size=20
)
_nodes = st.recursive(
    st.builds(
        lambda n, i, v: Node(n, i, v if v.strip() else ""), _names, st.integers(1, 999), _values
    ),
    lambda children: st.builds(
        lambda n, i, c: Node(n, i, None, {}, c),
        _names,
        st.integers(1, 999),
        st.lists(children, min_size=1, max_size=4),
    ),
    max_leaves=15,
)


def _xml(node: Node) -> str:
    inner = escape(node.value or "") + "".join(map(_xml, node.children))
    return f'<{node.name} item="{node.index}">{inner}</{node.name}>'


@given(_nodes)
async def test_every_tree_comes_back_as_it_was(node):
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{_xml(node)}'.encode()
    assert await parse_document(body, max_depth=50) == node


@given(
    st.binary(max_size=300) | st.text(alphabet="<>/=\"' ab&;!-[]?x1", max_size=200).map(str.encode)
)
async def test_no_bytes_raise_anything_but_garbled(body):
    with contextlib.suppress(Garbled):
        assert isinstance(await parse_document(body, max_depth=10), Node)


async def test_the_error_does_not_quote_the_reply():
    with pytest.raises(Garbled) as caught:
        await parse_document(b"<a>secret-in-the-reply &unknown;</b>", max_depth=10)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@given(_nodes, st.integers(0, 400))
async def test_a_document_cut_short_is_garbled(node, at):
    body = _xml(node).encode()
    cut = body[: min(at, len(body) - 1)]
    with pytest.raises(Garbled):
        await parse_document(cut, max_depth=50)


async def test_recorded_warnings_keep_their_item_numbers():
    node = await parse_document(WARNINGS, max_depth=10)
    assert node.get("Warning 69 ID") == "4836f60e-02de-11e0-bb2e-abe08f6f1f29"


async def test_other_attributes_are_kept():
    node = await parse_document(b'<NTP item="1" status="Active"/>', max_depth=3)
    assert (node.index, dict(node.attributes), node.value) == (1, {"status": "Active"}, "")


async def test_too_many_elements_are_too_large(monkeypatch):
    monkeypatch.setattr(xml_document, "MAX_ELEMENTS", 100)
    with pytest.raises(ReplyTooLarge):
        await parse_document(b"<a>" + b"<b/>" * 100 + b"</a>", max_depth=10)
    assert len((await parse_document(b"<a>" + b"<b/>" * 99 + b"</a>", max_depth=10)).children) == 99


async def test_depth_is_allowed_up_to_the_limit_and_not_beyond():
    await parse_document(b"<a>" * 10 + b"</a>" * 10, max_depth=10)
    with pytest.raises(ReplyTooLarge):
        await parse_document(b"<a>" * 11 + b"</a>" * 11, max_depth=10)
