from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_the_defaults_run_on_one_machine() -> None:
    settings = Settings()
    assert settings.database_url is None
    assert settings.host == "127.0.0.1"
    assert settings.keys == Path(".clusterway/vault.keys")
    assert not settings.allow_loopback_peers


def test_variables_with_our_prefix_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERWAY_PEER_NETWORKS", '["192.0.2.0/24", "2001:db8::/32"]')
    monkeypatch.setenv("CLUSTERWAY_DATABASE_URL", "postgresql://me:canary-Pa55@db/clusterway")
    monkeypatch.setenv("CLUSTERWAY_PLAN_LIFETIME", "PT2H")
    settings = Settings()
    assert [str(network) for network in settings.peer_networks] == ["192.0.2.0/24", "2001:db8::/32"]
    assert settings.plan_lifetime.total_seconds() == 7200
    assert "canary" not in repr(settings)


def test_a_wrong_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERWAY_PACE", "0")
    with pytest.raises(ValidationError, match="pace"):
        Settings()
