"""Each rule is tried by planting its offence, and by the same story without it."""

from __future__ import annotations

import pytest

from transports.base import RestoreBackup
from transports.command import Command, Setting
from transports.mock import Violation
from transports.mock.virtual_time import run
from transports.mock.web import WebInterface

KEY = "Canary-pre-shared-key-92"


def rules(lab) -> list[str]:
    return [violation.rule for violation in lab.witness.violations]


def test_a_quiet_cluster_breaks_no_rule(trio):
    run(trio.wait(3600))
    assert trio.witness.violations == []


def test_two_primaries_are_an_offence_only_beyond_the_bound(trio):
    async def story():
        lone = trio.transport("exp2")
        await lone.write([Setting.of("Alternates ConfigurationMaster", "2")])
        await trio.wait(290)
        assert rules(trio) == []
        await trio.wait(20)
        assert rules(trio) == ["two primaries"]

    run(story())
    assert trio.witness.violations[0].names == ("exp1", "exp2")


def test_a_dead_old_primary_is_no_second_primary(trio):
    async def story():
        trio["exp1"].lose_power()
        for name in ("exp2", "exp3"):
            await trio.transport(name).write([Setting.of("Alternates ConfigurationMaster", "2")])
        await trio.wait(1000)
        assert rules(trio) == []
        trio["exp1"].gain_power()
        await trio.wait(300 + 310)
        assert rules(trio) == ["two primaries"]

    run(story())


def test_two_restarts_at_once_are_an_offence(trio):
    async def story():
        await trio.restart("exp1")
        await trio.restart("exp2")
        assert rules(trio) == []
        await trio.restart("exp1", wait=100)
        await trio.restart("exp2", wait=3)
        assert rules(trio) == ["two peers restarting at once"]

    run(story())


def test_restarts_of_strangers_may_overlap(pair):
    async def story():
        await pair.restart("exp1", wait=10)
        await pair.restart("exp3", wait=10)
        assert rules(pair) == []

    run(story())


@pytest.mark.parametrize(
    ("name", "expected"),
    [("exp1", "wipe of a primary"), ("exp2", "wipe of a peer that serves in a cluster")],
)
@pytest.mark.parametrize("how", ["DefaultValuesSet", "factory reset"])
def test_wiping_a_member_is_an_offence_even_with_a_backup(trio, name, expected, how):
    async def story():
        await trio.back_up(name)
        if how == "DefaultValuesSet":
            await trio.transport(name).run(Command("DefaultValuesSet", {"Level": "1"}))
        else:
            trio[name].factory_reset()

    run(story())
    assert rules(trio) == [expected]


def test_a_wipe_without_a_backup_taken_in_this_session_is_an_offence(pair):
    async def story(backed_up: bool):
        if backed_up:
            await pair.back_up("exp3")
        await pair.transport("exp3").run(Command("DefaultValuesSet", {"Level": "2"}))

    run(story(backed_up=False))
    assert rules(pair) == ["wipe without a backup"]
    pair.witness.violations.clear()
    run(story(backed_up=True))
    assert rules(pair) == []


def test_forcing_the_primary_destroys_the_configuration_and_is_seen(trio):
    async def story():
        await trio.back_up("exp1")
        await trio.transport("exp1").run(Command("ForceConfigUpdate"))
        await trio.wait(300)

    run(story())
    assert rules(trio) == ["wipe of a primary"]
    for name in ("exp1", "exp2", "exp3"):
        assert trio[name].configuration.records("Bandwidth Link") == []


def test_a_restore_is_a_wipe(lab):
    async def story():
        one = lab()
        data = await one.back_up("exp1")
        one["exp1"].backups.clear()

        async def pieces():
            yield data

        await one.transport("exp1").perform(RestoreBackup("b.tar.gz", pieces))
        assert rules(one) == ["wipe without a backup"]

    run(story())


def test_a_restored_list_adds_nobody_but_the_next_peer_listed_counts(trio):
    async def story():
        web = WebInterface(trio["exp1"])
        made = await web.create_backup()
        clear = [Setting.of(f"Alternates Peer {n} Address", "") for n in (1, 2, 3)]
        await trio.transport("exp1").write(clear)
        await trio.restart("exp1")
        for name in ("exp2", "exp3"):
            await trio.save_list(name, ["exp2", "exp3"], primary="exp2")
        await trio.transport("exp1").perform(RestoreBackup("a", lambda: _pieces(made.data)))
        await trio.wait(600)
        assert len(trio["exp1"].cluster.saved().listed) == 3
        assert rules(trio) == []
        await trio.transport("exp1").write([Setting.of("Alternates Peer 4 Address", "192.0.2.99")])
        assert rules(trio) == ["two peers being added at once"]

    async def _pieces(data):
        yield data

    run(story())


def test_two_peers_at_once_are_an_offence(lab):
    async def story():
        one = lab()
        await one.save_list("exp1", ["exp1"])
        await one.restart("exp1")
        await one.save_list("exp1", ["exp1", "exp2"])
        assert rules(one) == []
        await one.save_list("exp1", ["exp1", "exp2", "exp3"])
        assert rules(one) == ["two peers being added at once"]

    run(story())


def test_a_seventh_peer_is_an_offence(lab):
    names = [f"e{n}" for n in range(1, 8)]
    seven = lab(
        expressways=[{"name": n, "address": f"192.0.2.{20 + i}"} for i, n in enumerate(names)],
        clusters=[{"name": "c.example.com", "key": KEY, "members": names[:6]}],
    )
    assert rules(seven) == []
    put = seven["e7"].configuration.put
    put("Alternates Cluster Name", "c.example.com")
    for n, name in enumerate(["e7", *names[:5]], start=1):
        put(f"Alternates Peer {n} Address", seven[name].address)
    put = seven["e1"].configuration.put
    put("Alternates Peer 6 Address", seven["e7"].address)
    seven["e1"].after_configuration()
    assert "more than six peers" in rules(seven)


@pytest.mark.parametrize("secret", [KEY, "Rehearsal-4711"])
def test_a_secret_in_a_text_is_an_offence_and_not_repeated_in_its_record(trio, secret):
    trio["exp2"].sent(f"debug: using {secret[:-1]}")
    assert rules(trio) == []
    trio["exp2"].sent(f"debug: using {secret}")
    assert rules(trio) == ["a secret was shown"]
    assert secret not in str(trio.witness.violations)


def test_a_key_that_was_replaced_is_still_secret(trio):
    WebInterface(trio["exp2"]).set_pre_shared_key("Another-key-77")
    trio["exp2"].sent(KEY)
    assert rules(trio) == ["a secret was shown"]


def test_no_page_status_or_description_shows_a_secret(trio):
    async def story():
        for name in ("exp1", "exp2", "exp3"):
            await trio.page(name)
            trio[name].sent(repr(trio[name].status()))
            trio[name].sent(repr(WebInterface(trio[name]).read_clustering()))
            trio[name].sent(repr(trio[name].cluster.saved()))
        trio["exp1"].sent(repr(trio.fleet.describe()))

    run(story())
    assert trio.witness.violations == []


def test_members_that_differ_at_the_end_are_named(trio):
    assert trio.witness.disagreements("exp1", "exp2", "exp3") == []
    trio["exp3"].configuration.put("Alternates ConfigurationMaster", "3")
    found = trio.witness.disagreements("exp1", "exp2", "exp3")
    assert found == ["exp2 and exp3 differ on the primary"]


def test_a_witness_that_left_sees_nothing(trio):
    trio.witness.leave()
    trio["exp2"].sent(KEY)
    assert trio.witness.violations == []


def test_a_violation_reads_as_a_sentence():
    violation = Violation(12.5, "two primaries", ("exp1", "exp2"), "for 300 s")
    assert str(violation) == "12.50 s: two primaries: exp1, exp2: for 300 s"
