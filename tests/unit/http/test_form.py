"""Pages as they come: broken, huge, hostile, or simply old."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.http.form import MAX_FIELDS, MAX_FORMS, read_page
from transports.http.markup import MAX_PIECES, Tag, scan
from transports.http.web_forms import _outcome

PAGE = """<!DOCTYPE html><html><head><title>Clustering</title>
<script>document.write("<form action='/evil'><input name=evil>")</script></head><body>
<form method="POST" action="/clustering"><!-- a > b <input name=never> -->
<input type="hidden" name="sessionid" value="t&quot;1">
<table><tr><td><label for=cn>Cluster name:</label></td>
<td><INPUT ID="cn" NAME='name' value="a&amp;b">
<tr><td>Configuration master<td><select name=master><option>1<option selected>2<option value=3>three
</select><tr><td>Peer 1 IP address <td><input name=p1 value=192.0.2.11> <i>This system</i>
<tr><td>Peer 2 IP address <td><input name=p2 value=192.0.2.12> <i>Failed</i></table>
<input type=checkbox name=c1 checked><input type=checkbox name=c2 value=x>
<input disabled name=d value=1>

<textarea name=notes>line &lt;1&gt;</textarea><button name=b value="Save"></button>
<input type=submit name=other value=Other></form>
<h3>Cluster database status</h3><p>Active"""


def test_a_form_goes_back_as_it_came_but_for_the_changes():
    page = read_page(PAGE)
    form, button = page.form_with_button(["Save"])
    assert form.filled({"p2": "192.0.2.99"}, button) == [
        ("sessionid", 't"1'),
        ("name", "a&b"),
        ("master", "2"),
        ("p1", "192.0.2.11"),
        ("p2", "192.0.2.99"),
        ("c1", "on"),
        ("notes", "line <1>"),
        ("b", "Save"),
    ]


def test_fields_are_found_by_the_words_before_them_and_notes_stand_behind():
    form = read_page(PAGE).forms[0]
    assert form.by_label("Cluster name").name == "name"
    assert form.by_label("Configuration master").shown() == "2"
    assert form.by_label("peer 1 ip address").note == "This system"
    assert form.by_label("Peer 2 IP address").note == "Failed"
    assert form.by_label("Peer 3 IP address") is None


def test_what_stands_in_scripts_and_comments_is_no_form():
    page = read_page(PAGE)
    names = [field.name for form in page.forms for field in form.fields]
    assert len(page.forms) == 1
    assert not {"evil", "never"} & set(names)
    assert page.word_after("Cluster database status") == "Active"


def test_the_status_word_failed_is_no_failure_of_the_page():
    assert _outcome(read_page(PAGE)) == ("", "")
    assert _outcome(read_page("<b>Failed</b>: no")) == ("failed", "no")
    assert _outcome(read_page("<p>Success: Saved")) == ("success", "Saved")


_name = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=10)
_value = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30)


@given(st.dictionaries(_name, _value, max_size=8))
def test_every_hidden_value_comes_through_whatever_it_is(fields):
    from html import escape

    inner = "".join(
        f'<input type=hidden name="{name}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    page = read_page(f"<form>{inner}<input type=submit value=Go></form>")
    form, button = page.form_with_button(["Go"])
    assert form.filled({}, button) == list(fields.items())


@given(
    st.text(
        alphabet=st.sampled_from(list("<>/=\"'!- abT&;#x\n\0é")) | st.characters(), max_size=400
    )
)
@settings(max_examples=400)
def test_no_text_upsets_the_reader(text):
    page = read_page(text)
    assert len(page.forms) <= MAX_FORMS
    assert "".join(page.texts) is not None


@given(
    st.lists(
        st.sampled_from(
            ["<form>", "</form>", "<input name=a value=b>", "<select>", "<option>", "</select>",
             "<textarea>", "<tr>", "<td>", "<label for=x>", "<script>", "</script>", "<!--", "-->",
             "<button>", "<a href=/x>", "</a>", "<title>", "<", ">", "\"", "'", "text ", "<x y='"]
        ),
        max_size=60,
    )
)  # fmt: skip
@settings(max_examples=300)
def test_no_order_of_tags_upsets_the_reader(pieces):
    page = read_page("".join(pieces))
    for form in page.forms:
        for button in form.of_kind("submit"):
            form.filled({"a": "1", "new": "2", "gone": None}, button)
    page.word_after("text", after="text")


@pytest.mark.parametrize(
    "piece",
    [
        "&#" + "9" * 5000 + ";",
        "<",
        "<a",
        "<!--",
        "<!",
        "<a b='",
        '<a b="',
        "<a b= ",
        "<a / ",
        "&",
        "<script>",
        "<a b ",
        "</",
    ],
)
def test_a_page_of_nothing_but_beginnings_is_read_to_its_end(piece):
    """At quadratic cost a page of this length would take hours, not a moment."""
    page = piece * (1_000_000 // len(piece))
    assert len(list(scan(page))) <= MAX_PIECES


def test_a_page_of_too_many_things_is_cut():
    page = read_page("<form>" * (MAX_FORMS + 9) + "<input name=a>" * (MAX_FIELDS + 9))
    assert len(page.forms) == MAX_FORMS
    assert sum(len(form.fields) for form in page.forms) == MAX_FIELDS
    assert sum(1 for _ in scan("<b>" * (MAX_PIECES + 9))) == MAX_PIECES


def test_attributes_may_be_quoted_in_any_way_or_not_at_all():
    (tag,) = scan("<INPUT a=1 b='2 3' c=\"4>5\" d e = f/>")
    assert tag == Tag("input", False, {"a": "1", "b": "2 3", "c": "4>5", "d": "", "e": "f/"})
