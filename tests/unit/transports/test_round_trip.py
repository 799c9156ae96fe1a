"""What the kernel tells of a connection, and what it does not tell."""

import socket
import sys

import pytest

from transports import round_trip


def test_a_connection_tells_its_smallest_round_trip_in_milliseconds():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        client.sendall(b"there")
        accepted.sendall(accepted.recv(10))
        client.recv(10)
        took = round_trip.smallest(client)
    if sys.platform != "linux":
        pytest.skip("only Linux tells")
    assert took is not None
    assert 0 < took < 100


@pytest.mark.parametrize("answer", [b"", b"x" * 104, b"\0" * 148 + b"\xff" * 4, OSError("closed")])
def test_what_is_not_told_is_not_guessed(answer):
    class Told:
        def getsockopt(self, *asked):
            if isinstance(answer, OSError):
                raise answer
            return answer

    assert round_trip.smallest(Told()) is None
    assert round_trip.smallest(None) is None


def test_the_smaller_one_is_kept_and_the_known_one():
    assert round_trip.smaller(2.0, 1.0) == 1.0
    assert round_trip.smaller(None, 3.0) == round_trip.smaller(3.0, None) == 3.0
    assert round_trip.smaller(None, None) is None
