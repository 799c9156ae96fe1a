"""Recorded and hand-made replies, read into trees; and whatever else, read into errors."""

from __future__ import annotations

from pathlib import Path as File

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from transports.errors import CommandRejected, Garbled, ReplyTooLarge, TransportError
from transports.ssh import replies
from transports.ssh.framing import Framer, Progress, Reply

SAMPLES = File(__file__).parents[2] / "data" / "device"


def framed(text: str, sent: str = "", **known) -> Framer:
    framer = Framer(sent, **known)
    framer.feed(text.encode())
    return framer


def recorded(name: str) -> Framer:
    """A recorded exchange without its source line; its first line is what was typed, if any."""
    lines = (SAMPLES / name).read_text().splitlines()[1:]
    sent = lines[0] if lines[0].casefold().startswith("x") else ""
    return framed("\r\n".join(lines) + "\r\n", sent)


def test_the_recorded_system_unit():
    framer = recorded("cli_xstatus_systemunit_vcs_greenbone_shape.txt")
    assert framer.progress is Progress.DONE
    tree = replies.status(framer.reply().lines)
    unit = tree.find("SystemUnit")
    assert unit is not None
    assert unit.get("Uptime") == "2492"
    assert unit.get("Software Version") == "X8.11.3"
    assert unit.get("Software ReleaseKey") == ""
    assert unit.get("Software Configuration ExpresswaySeries") == "False"
    assert unit.get("Hardware SerialNumber") == "017DB2D0"


def test_the_recorded_alias_with_its_attributes():
    framer = recorded("cli_xstatus_subtree_gkapi2008.txt")
    assert framer.progress is Progress.DONE
    assert framer.echo_seen
    alias = replies.status(framer.reply().lines).find("Registrations Registration Aliases Alias 1")
    assert alias is not None
    assert alias.value == "alice@example.com"
    assert alias.attributes == {"type": "H323Id", "origin": "Endpoint"}


def test_the_recorded_subtree_without_its_indentation_reads_the_same():
    framer = recorded("cli_xstatus_subtree_gkapi2008.txt")
    flat = [line.strip() for line in framer.reply().lines]
    assert replies.status(flat) == replies.status(framer.reply().lines)


def test_the_recorded_command_result():
    framer = recorded("cli_xcommand_result_gkapi2008.txt")
    assert framer.progress is Progress.DONE
    node = replies.result(framer.reply().lines)
    assert {child.name: child.value for child in node.children} == {
        "callSrc": "alice",
        "callDst": "bob",
        "Bandwidth": "384",
        "CallSerialNumber": "1",
        "EncryptionMode": "Auto",
        "EncryptionType": "Auto",
    }


def test_the_recorded_configuration_lines():
    lines = (SAMPLES / "cli_xconfiguration_line_real.txt").read_text().splitlines()[1:]
    framer = framed("\r\n".join([*lines, "", "OK", ""]))
    assert framer.progress is Progress.DONE
    tree = replies.configuration(framer.reply().lines)
    assert tree.get("Zones Zone 6 DNS SIP TLS Verify Mode") == "On"
    assert tree.get("Zones Zone 6 DNS SIP TLS Verify Subject Name") == "calllservice.ciscospark.com"


@pytest.mark.parametrize(
    "name", ["cli_xcommand_help_gkapi2008.txt", "cli_xstatus_help_gkapi2008.txt"]
)
def test_recorded_help_is_framed_and_holds_no_facts(name):
    framer = recorded(name)
    assert framer.progress is Progress.SETTLING
    assert framer.reply().lines == ()
    assert framer.reply().other > 0


@pytest.mark.parametrize("width", [1, 2, 4, 5])
def test_any_width_of_indentation_means_depth(width):
    rows = [
        (0, "A: /"),
        (1, "B: 1"),
        (1, "C: /"),
        (2, 'D: "x y"'),
        (1, "E 2: /"),
        (2, "F: /"),
        (0, "G: 7"),
    ]
    lines = ["*s Top: /", *(" " * (width * (depth + 1)) + text for depth, text in rows)]
    tree = replies.status(lines)
    assert {str(path): value for path, value in tree.leaves()} == {
        "Top A B": "1",
        "Top A C D": "x y",
        "Top A E 2 F": "",
        "Top G": "7",
    }


def test_a_flat_status_that_could_mean_two_trees_is_refused():
    with pytest.raises(Garbled):
        replies.status(["*s Top: /", "A: /", "B: 1", "C: /", "D: 2"])


def test_a_status_of_values_only_needs_no_indentation():
    tree = replies.status(["*s Top: /", "A: 1", 'B: "2"'])
    assert [child.value for child in tree.children[0].children] == ["1", "2"]


def test_several_blocks_and_sparse_indexes_become_one_tree():
    tree = replies.status(
        ["*s Warnings: /", "  Warning 69: /", '    ID: "a"', "*s Warnings: /", "  Warning 156: /"]
    )
    warnings = tree.find("Warnings")
    assert warnings is not None
    assert [child.index for child in warnings.children] == [69, 156]


def test_an_error_result_carries_the_words_of_the_appliance():
    with pytest.raises(CommandRejected) as caught:
        replies.result(["*r Result (status=Error):", "  Cause: 5", '  Description: "no such call"'])
    assert (caught.value.cause, caught.value.description) == ("5", "no such call")


def test_depth_has_a_limit():
    lines = ["*s A: /", *(" " * depth + "B: /" for depth in range(1, 200))]
    with pytest.raises(ReplyTooLarge):
        replies.status(lines, max_depth=64)
    with pytest.raises(ReplyTooLarge):
        replies.configuration(["*c xConfiguration " + "A " * 65 + ": 1"], max_depth=64)


def test_twenty_thousand_zones_are_read():
    lines = [f'*c xConfiguration Zones Zone {n} H323 Mode: "On"' for n in range(1, 20_001)]
    assert len(replies.configuration(lines).children[0].children) == 20_000


REPLIES = [
    ('*s A: /\r\n  B: "OK"\r\n  C: "*s/end"\r\n  D: OK\r\n*s/end\r\n\r\nOK\r\n', Progress.DONE),
    (
        '*c xConfiguration A: "*s/end"\r\n*c xConfiguration B: "x\r\nOK"\r\n\r\nOK\r\n',
        Progress.DONE,
    ),
    ("*r Result (status=OK):\r\n  A: 1\r\n*r/end\r\n\r\nOK\r\n", Progress.DONE),
    ("*r Result (status=Error):\r\n  Cause: 1\r\n*r/end\r\n", Progress.SETTLING),
    ("\r\nOK\r\n", Progress.SETTLING),
    ("Command not recognized.\r\n", Progress.SETTLING),
    ("OK\r\nand more\r\n", Progress.WAITING),
]


@pytest.mark.parametrize(("text", "progress"), REPLIES)
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_reply_is_the_same_however_it_is_cut_and_whatever_ends_its_lines(text, progress, end):
    sent = "xStatus A"
    data = (f"> {sent}\r\n" + text).replace("\r\n", end).encode()
    whole = Framer(sent)
    whole.feed(data)
    assert whole.progress is progress
    for at in range(len(data) + 1):
        cut = Framer(sent)
        cut.feed(data[:at])
        if at < len(data) - 1:
            assert cut.progress is not Progress.DONE, at
        cut.feed(data[at:])
        assert (cut.progress, cut.reply()) == (whole.progress, whole.reply())
    bytewise = Framer(sent)
    for byte in data:
        bytewise.feed(bytes([byte]))
    assert bytewise.reply() == whole.reply()


@pytest.mark.parametrize("text", [text for text, progress in REPLIES if progress is Progress.DONE])
def test_every_shortened_reply_is_incomplete(text):
    for at in range(len(text) - 2):
        assert framed(text[:at], "xStatus A").progress is not Progress.DONE


def test_a_write_answered_by_repeating_the_line_is_no_echo():
    sent = 'xConfiguration SystemUnit Name: "a b"'
    framer = framed(f"{sent}\r\n*c {sent}\r\n\r\nOK\r\n", sent)
    assert framer.progress is Progress.DONE
    assert framer.reply().lines == (f"*c {sent}",)


def test_text_before_the_echo_of_a_known_echoing_terminal_does_not_count():
    stale, fresh = (f"*s A: /\r\n  B: {n}\r\n*s/end\r\n\r\nOK\r\n" for n in (1, 2))
    text = f"{stale}xStatus A\r\n{fresh}"
    framer = framed(text, "xStatus A", echoes=True)
    assert framer.progress is Progress.DONE
    assert replies.status(framer.reply().lines).get("A B") == "2"


def test_an_alarm_text_before_a_proper_block_is_not_its_refusal():
    framer = framed("Error: alarm\r\n*s A: /\r\n*s/end\r\n\r\nOK\r\n", "xStatus A", echoes=False)
    assert framer.progress is Progress.DONE
    assert framer.reply().refusal == ""


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How fast the machine is says nothing about the code."""
words = st.sampled_from(
    ["*s A: /", "*s/end", "*r Result (status=OK):", "*r/end", "OK", "", '*c xConfiguration A 1: "x',
     '  B 2: "y"', " C: /", '"', "  (a=b): 1", "Error", "** end", "xStatus A", "A (b:c", "D:",
     "0: 1",     "*c xConfiguration : 1", "A " * 70 + ": /", "9" * 5000 + ": 1",
     "A " + "9" * 5000 + ": 1"]
)  # fmt: skip
pieces = st.lists(
    st.one_of(words, st.text(max_size=30)).map(lambda text: text.encode("utf-8", "replace")),
    max_size=30,
)
ends = st.sampled_from([b"\r\n", b"\n", b"\r"])


@unhurried
@given(pieces, ends, st.sampled_from([None, True, False]), st.integers(1, 50))
def test_whatever_comes_is_read_or_refused(lines, end, echoes, size):
    framer = Framer("xStatus A", echoes=echoes, prompt="> ", max_bytes=100_000)
    data = end.join(lines) + end
    for at in range(0, len(data), size):
        framer.feed(data[at : at + size])
    read_all_ways(framer.reply())


@unhurried
@given(st.binary(max_size=400), st.integers(1, 50))
def test_any_bytes_are_read_or_refused(data, size):
    framer = Framer("xStatus A", max_bytes=300)
    try:
        for at in range(0, len(data), size):
            framer.feed(data[at : at + size])
    except ReplyTooLarge:
        assert len(data) > 300
        return
    read_all_ways(framer.reply())


def read_all_ways(reply: Reply) -> None:
    for read in (replies.status, replies.configuration, replies.result):
        try:
            read(reply.lines, max_depth=20)
        except TransportError as error:
            assert isinstance(error, Garbled | CommandRejected)  # noqa: PT017 - any other is a bug
