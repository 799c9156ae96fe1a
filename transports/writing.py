"""Writing several settings, so that "nothing was sent" is said only where nothing was sent.

Each setting is an exchange of its own. A link that dies between two of them has let the first one
through: the caller must look before it does anything else, whatever the second one's error says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from transports.command import Setting
from transports.errors import ConnectionLost, NotSent


async def one_after_another(
    settings: Sequence[Setting], write: Callable[[Setting], Awaitable[None]]
) -> None:
    """Write in order, stopping at the first error. Raises NotSent only for the first setting."""
    for number, setting in enumerate(settings):
        try:
            await write(setting)
        except NotSent as error:
            if number == 0:
                raise
            raise ConnectionLost(f"after {number} of {len(settings)} settings: {error}") from error
