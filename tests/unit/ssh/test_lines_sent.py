"""What reaches the appliance is one line, and says exactly what was meant."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.ssh.hostile_server import saying, serving, transport_to
from transports.command import Command, Setting, command_line, setting_line
from transports.document import Path, Segment
from transports.errors import InvalidRequest


def tokens(line: str) -> list[str]:
    """A reference tokenizer: words between blanks, and quoted texts in which blanks count."""
    found: list[str] = []
    rest = line
    while rest := rest.lstrip(" "):
        if rest[0] == '"':
            text, quote, rest = rest[1:].partition('"')
            assert quote, "a quote stays open"
            assert not rest or rest[0] == " "
            found.append(text)
        else:
            word, _, rest = rest.partition(" ")
            assert '"' not in word
            found.append(word)
    return found


unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How fast the machine is says nothing about the code."""
names = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,12}", fullmatch=True)
values = st.text(max_size=60)
parameters = st.dictionaries(names, values, max_size=5)


@unhurried
@given(names, parameters)
def test_a_command_arrives_as_it_was_given_or_not_at_all(name, given_parameters):
    try:
        line = command_line(Command(name, given_parameters))
    except InvalidRequest:
        assert any(
            not character.isprintable() or character in '"\\'
            for value in given_parameters.values()
            for character in value
        )
        return
    assert len(line.splitlines()) == 1
    expected = ["xCommand", name]
    for key, value in given_parameters.items():
        expected += [f"{key}:", value]
    assert tokens(line) == expected


@unhurried
@given(st.lists(st.tuples(names, st.none() | st.integers(1, 999)), min_size=1, max_size=5), values)
def test_a_setting_arrives_as_it_was_given_or_not_at_all(elements, value):
    path = Path(tuple(Segment(name, index) for name, index in elements))
    try:
        line = setting_line(Setting(path, value))
    except InvalidRequest:
        assert not value.isprintable() or set('"\\') & set(value)
        return
    assert len(line.splitlines()) == 1
    expected = ["xConfiguration"]
    for name, index in elements:
        expected += [name] if index is None else [name, str(index)]
    expected[-1] += ":"
    assert tokens(line) == [*expected, value]


HOSTILE_NAMES = ["A\nxCommand", "A\rB", "A B", 'A: "x"', "", "7", "-A"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_path_cannot_smuggle_in_a_second_command(name):
    with pytest.raises(InvalidRequest):
        Segment(name)
    with pytest.raises(InvalidRequest):
        Segment("A", -1)


@pytest.mark.sockets
async def test_a_setting_without_a_place_is_never_sent():
    async with serving(saying("OK\r\n")) as server:
        transport = transport_to(server)
        with pytest.raises(InvalidRequest):
            await transport.write([Setting.of("SystemUnit Name", "x"), Setting(Path(()), "x")])
        assert server.connections == 0
