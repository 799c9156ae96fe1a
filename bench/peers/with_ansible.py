"""ansible-core: a playbook of one `raw` task a command, with as many forks as others have places.

Over its own ssh connection with ControlPersist. `raw` needs a command channel, which only root has,
so this side pipes into `tsh` as root; all others type as admin.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.work import Measured, Replies, given, tell


def main() -> None:
    """Run the playbook and read its report."""
    work = given()
    replies = Replies()
    with tempfile.TemporaryDirectory(prefix="cw-") as folder:
        place = Path(folder)
        hosts = {
            peer["name"]: {"ansible_host": peer["host"], "ansible_port": peer["port"]}
            for peer in work["peers"]
        }
        known = place / "known_hosts"
        known.write_text("".join(f"[{p['host']}]:{p['port']} {p['pin']}\n" for p in work["peers"]))
        everywhere = {
            "ansible_user": work["account"]["username"],
            "ansible_password": work["account"]["password"],
            "ansible_ssh_password_mechanism": "ssh_askpass",
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={known} "
            "-o GlobalKnownHostsFile=none -o PubkeyAuthentication=no",
        }
        inventory = {"all": {"hosts": hosts, "vars": everywhere}}
        (place / "inventory.json").write_text(json.dumps(inventory))
        tasks = [{"raw": f"echo '{command}' | tsh"} for command in work["commands"]]
        play = {"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}
        (place / "play.json").write_text(json.dumps([play]))
        environment = {
            **os.environ,
            "ANSIBLE_HOME": str(place / "home"),
            "ANSIBLE_CONFIG": str(place / "none"),
            "ANSIBLE_FORKS": str(work["side_by_side"]),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(place / "cp"),
            "ANSIBLE_NOCOLOR": "1",
        }
        with Measured() as cost:
            done = subprocess.run(  # noqa: S603 - ansible
                [
                    str(Path(sys.executable).parent / "ansible-playbook"),
                    *("-i", str(place / "inventory.json"), str(place / "play.json")),
                ],
                env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
        if done.returncode:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
        for text in done.stdout.split("| CHANGED | rc=0 >>\n")[1:]:
            replies.take(text)
    tell(cost, **replies.proof())


main()
