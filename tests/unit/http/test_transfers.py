"""Files on their way: uploads as a form sends them, backups as they must be whole."""

import gzip
import os
from email import message_from_bytes
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import Garbled, InvalidRequest
from transports.http.archive import UNNAMED, BackupSink, file_name
from transports.http.multipart import upload_of


def reading(*pieces):
    async def read():
        for piece in pieces:
            yield piece

    return read


async def _sunk(name, *pieces):
    kept = bytearray()

    async def write(piece):
        kept.extend(piece)

    sink = BackupSink(name, write)
    for piece in pieces:
        await sink.take(piece)
    return sink.finished(), bytes(kept)


@given(
    st.lists(st.binary(max_size=50), max_size=5),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20),
)
async def test_an_upload_reads_as_a_form_and_has_the_length_it_announces(pieces, value):
    upload = await upload_of([("sessionid", value)], "file", "b.tar.gz", reading(*pieces))
    body = b"".join([piece async for piece in upload.pieces()])
    assert len(body) == upload.length
    head = f"Content-Type: {upload.content_type}\r\n\r\n".encode()
    parts = message_from_bytes(head + body, policy=HTTP).get_payload()
    assert [p.get_param("name", header="content-disposition") for p in parts] == [
        "sessionid",
        "file",
    ]
    assert parts[1].get_filename() == "b.tar.gz"
    assert value.encode() in body
    assert b"\r\n\r\n" + b"".join(pieces) + b"\r\n--" in body


@pytest.mark.parametrize("name", ["", "a b", 'a"', "a\r\nX: 1", "../etc", "a/b", "ü.gz", "a" * 201])
async def test_a_file_name_that_could_mean_more_is_refused(name):
    with pytest.raises(InvalidRequest):
        await upload_of([], "file", name, reading(b"x"))


async def test_a_backup_passes_through_counted():
    data = gzip.compress(os.urandom(100_000))
    receipt, kept = await _sunk("x_backup.tar.gz", data[:10], data[10:5000], data[5000:])
    assert kept == data
    assert receipt.size == len(data)


@pytest.mark.parametrize("cut", [0, 1, 10, -1, -8, -9])
async def test_a_backup_without_its_end_is_garbled(cut):
    data = gzip.compress(b"configuration" * 1000)
    with pytest.raises(Garbled):
        await _sunk("x_backup.tar.gz", data[:cut])


async def test_a_backup_with_a_damaged_middle_is_garbled():
    data = bytearray(gzip.compress(os.urandom(1000)))
    data[500] ^= 0xFF
    with pytest.raises(Garbled):
        await _sunk("x_backup.tar.gz", bytes(data))


async def test_a_page_in_place_of_a_backup_is_garbled():
    with pytest.raises(Garbled):
        await _sunk("x_backup.tar.gz", b"<html>")


async def test_an_encrypted_backup_is_taken_as_it_is_but_not_empty():
    receipt, _ = await _sunk("x_backup.tar.gz.enc", b"whatever")
    assert receipt.size == 8
    with pytest.raises(Garbled):
        await _sunk("x_backup.tar.gz.enc")


async def test_a_bomb_of_a_backup_is_given_up_not_unpacked(monkeypatch):
    monkeypatch.setattr("transports.http.archive.MAX_UNPACKED", 1_000_000)
    bomb = gzip.compress(bytes(20_000_000))
    assert len(bomb) < 30_000
    with pytest.raises(Garbled):
        await _sunk("x_backup.tar.gz", bomb)


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ('attachment; filename="X8.2_017DB2D0_backup.tar.gz"', "X8.2_017DB2D0_backup.tar.gz"),
        ("attachment; filename=a.tar.gz", "a.tar.gz"),
        ("attachment; filename=a.tar.gz; size=3", "a.tar.gz"),
        ('attachment; filename="../../etc/passwd"', UNNAMED),
        ('attachment; filename=".bashrc"', UNNAMED),
        ("attachment", UNNAMED),
        ("", UNNAMED),
    ],
)
def test_the_file_name_is_a_plain_name(disposition, expected):
    assert file_name(disposition) == expected
