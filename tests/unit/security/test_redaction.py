from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from app.observability.logs import set_up
from app.security.keys import digest_of, new_key_text, prefix_of
from app.security.redaction import MARK, Redactor


def test_a_learned_value_is_removed_wherever_it_stands() -> None:
    redactor = Redactor(["hunter2!", "hunter2!-longer"])
    assert redactor.text("a hunter2! b hunter2!-longer c") == f"a {MARK} b {MARK} c"
    assert redactor.tree({"a": ["x hunter2!", {"hunter2!": 1}]}) == {"a": [f"x {MARK}", {MARK: 1}]}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("authorization: basic YWRtaW46c2VjcmV0", "YWRtaW46c2VjcmV0"),
        ("postgresql://user:pa55@host/db", "pa55"),
        pytest.param("key is " + new_key_text()[1], "cwk_", id="a new API key"),
        ("-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----", "MII"),
    ],
)
def test_what_is_secret_by_its_shape_is_removed(text: str, secret: str) -> None:
    shown = Redactor().text(text)
    assert secret not in shown
    assert MARK in shown


@pytest.mark.parametrize("name", ["password", "Pre-Shared-Key", "Authorization", "release_key"])
def test_what_is_secret_by_its_name_is_removed(name: str) -> None:
    assert Redactor().tree({name: {"deep": 1}}) == {name: MARK}


def test_ordinary_words_stay() -> None:
    text = "restart of exp1 took 181 s, serial 52A00001, SHA256:+DiY3wvvV6Tu"
    assert Redactor(["abc"]).text(text) == text


def test_a_tree_without_end_is_cut() -> None:
    endless: dict[str, object] = {}
    endless["again"] = endless
    assert "too deep" in str(Redactor().tree(endless))


def test_a_key_is_recognised_by_its_shape_only() -> None:
    prefix, text = new_key_text()
    assert prefix_of(text) == prefix
    assert prefix_of(text + "x") is None
    assert prefix_of("") is None
    assert text not in digest_of(text)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up(Redactor(["canary-Pa55"]), stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_no_log_line_holds_a_secret_whoever_wrote_it(written: io.StringIO) -> None:
    structlog.get_logger("ours").info("said canary-Pa55", password="other", nested=["canary-Pa55"])
    logging.getLogger("theirs").warning("sent %s", "canary-Pa55")
    try:
        raise ValueError("bad value canary-Pa55")
    except ValueError:
        structlog.get_logger("ours").exception("failed")
        logging.getLogger("theirs").exception("failed")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert len(lines) == 4
    assert "canary" not in written.getvalue()
    assert "other" not in written.getvalue()
    assert "ValueError" in lines[2]["exception"]
    assert "ValueError" in lines[3]["exception"]
