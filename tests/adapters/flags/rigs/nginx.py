"""nginx under the suite, against the real server alone: what it does to a file is the whole service."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from cockpit.adapters.flags.nginx_settings import NginxSettings
from cockpit.adapters.flags.nginx_split import Names, find_block, told_percent, with_percent
from cockpit.adapters.http import Web
from cockpit.adapters.table import FLAG_SERVICES
from cockpit.core.clean import Percent
from cockpit.engine.clock import SystemClock
from tests.adapters.flags.suite import Built, Lever, LeverRig, Truth, Vault
from tests.real.nginx_server import FLAGS, Nginx, blocks

NAMES = Names(legacy="legacy", new="new")


class RealRig(LeverRig):
    name = "nginx-real"
    marks = (pytest.mark.real,)
    claims = frozenset({Built.USUAL, Built.IMPATIENT, Built.READ_ONLY, Built.ELSEWHERE})

    def __init__(self, nginx: Nginx) -> None:
        self._nginx = nginx
        self._free = iter(FLAGS)
        self._changes: Counter[str] = Counter()

    @classmethod
    @asynccontextmanager
    async def open(cls, request: pytest.FixtureRequest) -> AsyncIterator[RealRig]:
        nginx = cast(Nginx, request.getfixturevalue("real_nginx"))
        nginx.write(blocks(*FLAGS))
        nginx.reload()
        yield cls(nginx)

    def build(self, how: Built = Built.USUAL) -> Lever:
        nginx = self._nginx
        given = {
            "file": f"{nginx.split}.elsewhere" if how is Built.ELSEWHERE else str(nginx.split),
            "pid_file": str(nginx.pid_file),
            **({} if how is Built.READ_ONLY else {"test": nginx.test}),
        }
        settings, vault = NginxSettings.model_validate(given), Vault({})
        timeout_s = 0.5 if how is Built.IMPATIENT else 30.0
        row, web = FLAG_SERVICES["nginx"], Web(clock=SystemClock())
        return Lever(
            reader=row.reader(settings, web, vault, timeout_s),
            maybe_writer=row.writer(settings, web, vault, timeout_s),
            vault=vault,
        )

    async def flag(self, percent: Percent, *, on: bool = True) -> str:
        key = next(self._free)
        await self.change(key, percent)
        return key

    async def change(self, key: str, percent: Percent, *, who: str = "ada") -> None:
        self._nginx.write(with_percent(self._nginx.split.read_text(), key, percent, NAMES))
        self._nginx.reload()

    async def truth(self, key: str) -> Truth:
        block = find_block(self._nginx.split.read_text(), key)
        return Truth(on=True, percent=told_percent(block, NAMES)[0], mark=block.entries)


RIGS = (RealRig,)
