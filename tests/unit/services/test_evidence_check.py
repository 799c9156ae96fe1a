"""Evidence is checked offline: whatever is altered in it is found, and named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from app.api.evidence_page import evidence_page
from app.cli.main import app as command_line
from app.security.chain import canonical
from app.security.signing import KeyUnusable, encoded, genuine, new_key, read_public_keys, sign
from app.security.vault import Vault
from app.services.evidence_check import check
from app.services.evidence_document import section_digest
from tests.support.evidence_bench import KEY, NOW, VAULT, facts, signed
from transports.mock.virtual_time import run

TRUSTED = {KEY.id: KEY.public}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return signed(run(facts()))


def wrong(document: Any, keys: Any = None) -> dict[str, str]:
    found = check(document, TRUSTED if keys is None else keys)
    return {one.name: one.found for one in found if not one.good}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    else:
        yield path


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    altered = copy.deepcopy(document)
    at = altered
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return altered


def get(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


def other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value[:-1]}X" if value and value[-1] != "X" else f"{value}Y"
        case None:
            return "something"
        case []:
            return ["more"]
        case _:
            return {"more": 1}


def resealed(document: Any, key: Any = KEY, vault: Vault = VAULT, *, sign_it: bool) -> Any:
    """What a forger does who knows how documents are made: all digests are made anew."""
    manifest, sections = document["manifest"], document["sections"]
    manifest["sections"] = {name: section_digest(part) for name, part in sections.items()}
    document["digest"] = section_digest(manifest)
    if sign_it:
        document["signatures"] = [sign(canonical(manifest), key, vault)]
    return document


def test_what_was_signed_is_proven(document: Any) -> None:
    assert wrong(document) == {}


def test_every_single_value_that_is_altered_is_found(document: Any) -> None:
    paths = list(leaves(document))
    assert len(paths) > 200
    for path in paths:
        altered = put(document, path, other(get(document, path)))
        assert wrong(altered), path
        if path[0] == "sections":
            assert path[1] in wrong(altered)["sections"], path


def test_every_single_value_that_is_taken_out_is_found(document: Any) -> None:
    for path in leaves(document):
        if isinstance(path[-1], int):
            continue
        altered = copy.deepcopy(document)
        del get(altered, path[:-1])[path[-1]]
        assert wrong(altered), path


@pytest.mark.parametrize("section", ["events", "transcript", "steps", "observations", "backups"])
def test_a_row_that_is_taken_out_is_found(document: Any, section: str) -> None:
    for number in range(len(document["sections"][section])):
        altered = copy.deepcopy(document)
        del altered["sections"][section][number]
        assert wrong(altered)["sections"] == f"altered: {section}"


def test_a_forger_who_makes_all_digests_anew_cannot_sign(document: Any) -> None:
    altered = put(document, ("sections", "job", "requested_by"), "somebody else")
    found = wrong(resealed(altered, sign_it=False))
    assert found == {"signature": "the manifest was altered, or the signature: they do not fit"}


def test_a_forgery_that_is_signed_with_another_key_fails(document: Any) -> None:
    vault = Vault({"k1": bytes(32)})
    key = new_key(vault, NOW)
    altered = put(document, ("sections", "job", "requested_by"), "somebody else")
    forged = resealed(altered, key, vault, sign_it=True)
    assert wrong(forged) == {"signature": f"made by a key you do not trust ({key.id})"}
    # Nor does it help to call the key by the name of the trusted one.
    signature = sign(canonical(forged["manifest"]), key, vault)
    header = {"alg": "EdDSA", "kid": KEY.id}
    signature["protected"] = encoded(json.dumps(header).encode())
    forged["signatures"] = [signature]
    assert set(wrong(forged)) == {"signature"}


@pytest.mark.parametrize(
    ("path", "name", "words"),
    [
        (("sections", "events", 2, "hash"), "events", "event 3 was altered"),
        (("sections", "events", 2, "type"), "events", "event 3 does not say what was hashed"),
        (("sections", "transcript", 1, "text"), "transcript", "entry 2 was altered"),
        (("sections", "plan", "procedure"), "plan", "the plan is not the one of its digest"),
        (("sections", "steps", 0, "key"), "steps", "the steps are not those of the plan"),
        (("sections", "observations", 0, "view", "system_name"), "observations", "differences"),
        (("sections", "job", "last_event_seq"), "events", "the last events are missing"),
    ],
)
def test_what_does_not_hang_together_is_found_even_when_the_service_itself_signed_it(
    document: Any, path: tuple[Any, ...], name: str, words: str
) -> None:
    """So a row that was changed in the database before it was sealed is found, too."""
    altered = put(document, path, other(get(document, path)))
    assert words in wrong(resealed(altered, sign_it=True))[name]


def test_without_a_key_nothing_is_proven(document: Any) -> None:
    assert wrong(document, {}) == {"signature": "not checked: give the key you trust with --key"}


def test_evidence_of_a_job_under_way_says_that_it_is_partial() -> None:
    made = signed(run(facts(ended=False)))
    found = {one.name: one for one in check(made, TRUSTED)}
    assert all(one.good for one in found.values())
    assert "PARTIAL" in found["format"].found
    assert "Partial" in evidence_page(made).body.decode()


@pytest.mark.parametrize(
    "nonsense",
    [
        None, [], {}, 1, {"manifest": {}}, {"manifest": {"format": "clusterway-evidence/1"}},
        {"manifest": {"format": "clusterway-evidence/1", "sections": 1}, "signatures": 7},
    ],
)  # fmt: skip
def test_nonsense_is_no_evidence(nonsense: Any) -> None:
    assert wrong(nonsense)


def test_a_public_key_is_read_in_every_usual_form() -> None:
    pem = Ed25519PublicKey.from_public_bytes(KEY.public).public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    for text in (json.dumps({"keys": [KEY.jwk]}), json.dumps(KEY.jwk), KEY.jwk["x"], pem.decode()):
        assert read_public_keys(text) == TRUSTED
    for bad in ("", "{}", '{"keys": []}', "AAAA", "-----BEGIN nothing", '{"keys": 7}', "[1]"):
        with pytest.raises(KeyUnusable):
            read_public_keys(bad)


def test_a_key_that_the_vault_did_not_seal_is_not_genuine() -> None:
    assert genuine(KEY, VAULT)
    assert not genuine(KEY, Vault({"k1": bytes(32)}))
    assert not genuine(new_key(Vault({"k1": bytes(32)}), NOW), VAULT)


def test_the_command_proves_and_names_what_was_altered(document: Any, tmp_path: Path) -> None:
    file, keys = tmp_path / "evidence.json", tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [KEY.jwk]}))
    arguments = ["evidence", "verify", str(file), "--key", str(keys)]
    file.write_bytes(canonical(document))
    good = CliRunner().invoke(command_line, arguments)
    assert good.exit_code == 0
    assert good.output.splitlines()[-1].startswith("PROVEN")
    file.write_bytes(canonical(put(document, ("sections", "steps", 0, "outcome"), "skipped")))
    bad = CliRunner().invoke(command_line, arguments)
    assert bad.exit_code == 1
    assert "WRONG  sections      altered: steps" in bad.output
    for text in ("not json", "[" * 100_000):
        file.write_text(text)
        assert CliRunner().invoke(command_line, arguments).exit_code == 1
    assert CliRunner().invoke(command_line, [*arguments[:2], "/nowhere"]).exit_code == 1


def test_a_page_escapes_what_came_from_elsewhere(document: Any) -> None:
    evil = "<script>alert(1)</script>"
    for path in (
        ("sections", "transcript", 0, "text"),
        ("sections", "change", "change", "number"),
        ("sections", "attestations", 0, "by"),
        ("sections", "events", 0, "type"),
        ("sections", "differences", "peer-1", "system_name", "after"),
    ):
        shown = evidence_page(put(document, path, evil)).body.decode()
        assert evil not in shown
        assert "&lt;script&gt;" in shown
    assert document["digest"] in evidence_page(document).body.decode()
