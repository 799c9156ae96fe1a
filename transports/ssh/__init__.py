"""The admin command line of an Expressway over SSH and, where granted, its root shell.

Read from the bottom up: `lines` and `framing` find where a reply ends, `replies` reads its text,
`dialogue` asks one question at a time, `connection`, `terminal` and `session` keep a way open,
`transport` gives it meaning; `root_shell`, `software` and `factory_reset` are the root side.
"""

from transports.ssh.enrolment import probe_host_key
from transports.ssh.transport import SshTransport, create

__all__ = ["SshTransport", "create", "probe_host_key"]
