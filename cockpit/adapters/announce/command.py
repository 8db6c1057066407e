"""Announcements to a program of the user: JSON on standard input, exit code 0 is success.

It runs as `program` runs everything, with a plain environment (`pass_env` adds to it). Its standard
output is ignored; the first line of its standard error is shown when it fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cockpit.adapters.announce.body import to_json
from cockpit.adapters.base import Announcement, ServiceTrouble
from cockpit.adapters.program import plain_environment, program_name, run
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import CommandSettings
    from cockpit.adapters.credentials import Secrets
    from cockpit.adapters.http import Web


def build(settings: CommandSettings, web: Web, secret: Secrets, timeout_s: float) -> CommandAnnouncer:
    environment = plain_environment(settings.pass_env)
    return CommandAnnouncer(settings.command, environment=environment, timeout_s=timeout_s)


class CommandAnnouncer:
    def __init__(self, argv: Sequence[str], *, environment: Mapping[str, str], timeout_s: float) -> None:
        self._argv = tuple(argv)
        self._environment = dict(environment)
        self._timeout_s = timeout_s
        self._name = program_name(self._argv)

    async def announce(self, announcement: Announcement) -> str:
        ended = await run(
            self._argv,
            environment=self._environment,
            timeout_s=self._timeout_s,
            stdin=to_json(announcement) + b"\n",
            listen=False,
        )
        if ended.code != 0:
            failure = Failure(title=f"{self._name} {ended.words}", detail=ended.complaint(), fault=Fault.PLAN)
            raise ServiceTrouble(failure)
        return f"{self._name} ended well"

    async def aclose(self) -> None:
        """Nothing is kept open between announcements."""
