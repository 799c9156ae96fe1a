"""One healthy Expressway's answers."""

from __future__ import annotations

from datetime import UTC, datetime

from app.domain.observation import Clustering, Dns, Lan, Ntp, Observation


def observation() -> Observation:
    return Observation(
        peer_id="",
        observed_at=datetime(2026, 3, 1, tzinfo=UTC),
        product="Expressway",
        software_version="X8.2",
        serial_number="52A00001",
        hardware="VM",
        uptime=1000,
        system_name="exp1",
        lans=(Lan(1, "1000full", "192.0.2.11", "255.255.255.0", "", False),),
        gateway="192.0.2.1",
        dual_interfaces=False,
        dns=Dns("exp1", "example.com", ("192.0.2.53",)),
        ntp=Ntp(("192.0.2.123",), "Synchronized"),
        h323_on=True,
        call_signaling_optimized=False,
        maintenance_mode=False,
        clustering=Clustering("", None, (), False, None),
        zones=(),
        option_keys=(),
        features={},
        alarms=(),
        calls=0,
        admin_accounts=("admin",),
        ldap_login=False,
        shared_digest="0" * 64,
        at_defaults=False,
        default_links=True,
    )
