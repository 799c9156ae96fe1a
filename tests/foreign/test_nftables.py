"""The rules to paste are read by nftables itself: `nft -c` checks a file and changes nothing.

Runs where there is an `nft` program that may ask the kernel (root, or a user namespace).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from app.appliance.profiles import profile_for
from app.checks.port_rules import RuleFormat, render
from app.domain.peer import Peer

NFT = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""
UNSHARE = shutil.which("unshare") or ""
PEERS = [Peer(f"p{n}", f"exp{n}", f"192.0.2.1{n}") for n in range(1, 6)]
BOTH = [*PEERS, Peer("p6", "exp6", "2001:db8::16")]


def check(rules: Path) -> subprocess.CompletedProcess[str]:
    """In a network of its own where that can be had, so that nothing here is even read."""
    command = [NFT, "--check", "--file", str(rules)]
    apart = [UNSHARE, "--map-root-user", "--net"]
    alone = UNSHARE and subprocess.run([*apart, "true"], capture_output=True, check=False)
    if alone and alone.returncode == 0:
        command = [*apart, *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    if not NFT:
        pytest.skip("no nft program here")
    file = tmp_path / "rules.nft"
    file.write_text("table inet nothing { }\n")
    if check(file).returncode != 0:
        pytest.skip("nft may not ask the kernel here")
    return file


@pytest.mark.parametrize("version", ["X8.1", "X8.2", "X8.6", "X8.8", "X8.11", "X14.0"])
@pytest.mark.parametrize("peers", [PEERS, BOTH, BOTH[5:]], ids=["IPv4", "both", "IPv6"])
def test_nftables_takes_the_rules(rules: Path, version: str, peers: list[Peer]) -> None:
    text = render(RuleFormat.NFTABLES, "cluster1.example.com", peers, profile_for(version))
    rules.write_text(text)
    checked = check(rules)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_nftables_would_say_so_if_it_did_not(rules: Path) -> None:
    text = render(RuleFormat.NFTABLES, "c.example.com", PEERS, profile_for("X8.2"))
    rules.write_text(text.replace("udp dport 500", "udp dport isakmp-or-so"))
    assert check(rules).returncode != 0


def test_a_hostile_name_of_a_cluster_is_still_one_table(rules: Path) -> None:
    name = 'x"\n}; flush ruleset; table inet y { #' + "ä" * 100
    rules.write_text(render(RuleFormat.NFTABLES, name, PEERS, profile_for("X8.2")))
    checked = check(rules)
    assert (checked.returncode, checked.stderr) == (0, "")
