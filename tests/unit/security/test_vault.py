from __future__ import annotations

import base64
import stat
import threading
from pathlib import Path

import pytest

from app.security.key_file import KeyFile
from app.security.vault import Vault, VaultError, load_vault

KEY = b"k" * 32


def test_what_is_sealed_opens_again() -> None:
    vault = Vault({"k1": KEY})
    sealed = vault.seal(b"secret", "credential:1")
    assert b"secret" not in sealed
    assert vault.open(sealed, "credential:1") == b"secret"


def test_equal_secrets_are_sealed_differently() -> None:
    vault = Vault({"k1": KEY})
    assert vault.seal(b"secret", "a") != vault.seal(b"secret", "a")


def test_a_sealed_value_moved_to_another_row_does_not_open() -> None:
    vault = Vault({"k1": KEY})
    sealed = vault.seal(b"secret", "credential:1")
    with pytest.raises(VaultError, match="belongs elsewhere"):
        vault.open(sealed, "credential:2")


def test_every_changed_byte_is_noticed() -> None:
    vault = Vault({"k1": KEY})
    sealed = vault.seal(b"secret", "a")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(VaultError):
            vault.open(bytes(changed), "a")
    for length in range(len(sealed)):
        with pytest.raises(VaultError):
            vault.open(sealed[:length], "a")


def test_a_value_sealed_by_a_lost_key_names_that_key() -> None:
    sealed = Vault({"k1": KEY}).seal(b"secret", "a")
    with pytest.raises(VaultError, match="k1"):
        Vault({"k2": b"x" * 32}).open(sealed, "a")


def test_the_newest_key_seals_and_all_keys_open() -> None:
    old = Vault({"k1": KEY})
    both = Vault({"k1": KEY, "k2": b"x" * 32})
    sealed = old.seal(b"secret", "a")
    assert both.open(sealed, "a") == b"secret"
    moved = both.rewrap(sealed, "a")
    assert both.key_id(moved) == "k2"
    assert Vault({"k2": b"x" * 32}).open(moved, "a") == b"secret"
    assert both.rewrap(moved, "a") == moved
    assert old.fingerprint(b"secret") == both.fingerprint(b"secret")


def test_the_key_file_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "vault.keys"
    sealed = load_vault(path).seal(b"secret", "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_vault(path).open(sealed, "a") == b"secret"
    assert [entry.name for entry in path.parent.iterdir()] == ["vault.keys"]


def test_two_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "vault.keys"
    made: list[Vault] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        made.append(load_vault(path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sealed = made[0].seal(b"secret", "a")
    assert [vault.open(sealed, "a") for vault in made] == [b"secret"] * 8


def test_a_key_file_that_others_may_read_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "vault.keys"
    load_vault(path)
    path.chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        load_vault(path)


def test_a_key_can_be_added(tmp_path: Path) -> None:
    path = tmp_path / "vault.keys"
    sealed = load_vault(path).seal(b"secret", "a")
    key_id = KeyFile(path).add()
    vault = load_vault(path)
    assert vault.open(sealed, "a") == b"secret"
    assert vault.key_id(vault.seal(b"new", "a")) == key_id


def test_a_running_vault_uses_a_new_key_from_its_next_secret_on(tmp_path: Path) -> None:
    path = tmp_path / "vault.keys"
    running = load_vault(path)
    before = running.seal(b"old", "a")
    key_id = KeyFile(path).add()
    assert running.key_id(running.seal(b"new", "a")) == key_id
    another = load_vault(path)
    newest = KeyFile(path).add()
    by_another = another.seal(b"newer", "a")
    assert another.key_id(by_another) == newest
    # Met before it sealed anything itself.
    assert running.open(by_another, "a") == b"newer"
    assert running.open(before, "a") == b"old"


def test_a_key_file_that_became_unusable_does_not_stop_a_running_vault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "vault.keys"
    running = load_vault(path)
    for text in ("k1:???\n", "", "fingerprint:" + "A" * 43 + "=\n"):
        path.write_text(text)
        assert running.open(running.seal(b"secret", "a"), "a") == b"secret"
    assert len(caplog.records) == 3
    path.unlink()
    assert running.open(running.seal(b"secret", "a"), "a") == b"secret"


def test_retiring_the_first_key_keeps_digests_and_gives_it_away_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "vault.keys"
    first = load_vault(path)
    old_line = path.read_text().splitlines()[-1]
    digests = (first.fingerprint(b"x"), first.request_digest(b"x"))
    file = KeyFile(path)
    second, third = file.add(), file.add()
    with pytest.raises(VaultError, match="newest"):
        file.retire(third)
    for unknown in ("k9", "fingerprint"):
        with pytest.raises(VaultError, match="no key"):
            file.retire(unknown)
    for retired in ("k1", second):
        file.retire(retired)
        again = load_vault(path)
        assert (again.fingerprint(b"x"), again.request_digest(b"x")) == digests
    assert again.keys == (third,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    left = path.read_text()
    assert old_line.partition(":")[2] not in left
    assert [entry.name for entry in path.parent.iterdir()] == ["vault.keys"]


def test_of_keys_added_at_once_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "vault.keys"
    load_vault(path)
    threads = [threading.Thread(target=KeyFile(path).add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(load_vault(path).keys) == 9


@pytest.mark.parametrize(
    "line", ["k1", "k1:???", "k1:" + base64.b64encode(b"short").decode(), "k/1:" + "A" * 43 + "="]
)
def test_a_line_that_is_no_key_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "vault.keys"
    path.write_text(line + "\n")
    path.chmod(0o600)
    with pytest.raises(VaultError):
        load_vault(path)


def test_nothing_shows_a_key() -> None:
    assert "kkkk" not in repr(Vault({"k1": KEY}))
