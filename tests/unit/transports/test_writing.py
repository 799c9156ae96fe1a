"""Nothing was sent is said only where nothing was sent."""

import pytest

from transports.command import Setting
from transports.errors import ConnectionLost, Unreachable
from transports.writing import one_after_another

SETTINGS = [Setting.of("SystemUnit Name", "a"), Setting.of("IP DNS Hostname", "b")]


async def write_failing_at(number: int) -> None:
    sent: list[Setting] = []

    async def write(setting: Setting) -> None:
        if len(sent) == number:
            raise Unreachable("gone")
        sent.append(setting)

    await one_after_another(SETTINGS, write)


async def test_a_link_that_is_gone_before_the_first_setting_sent_nothing():
    with pytest.raises(Unreachable):
        await write_failing_at(0)


async def test_a_link_that_dies_between_two_settings_has_sent_something():
    with pytest.raises(ConnectionLost):
        await write_failing_at(1)
