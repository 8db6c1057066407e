"""What the file lever writes for flagd, evaluated by flagd's own core: the file says what is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cockpit.adapters.base import AdapterError
from cockpit.adapters.flags.file import build_reader, build_writer
from cockpit.adapters.flags.file_settings import FlagFileSettings
from cockpit.adapters.http import Web
from cockpit.adapters.signals.ofrep import OfrepMonitor, OfrepSettings, build, interval
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.core.model import FlagValue, Sample, WriteOutcome
from cockpit.core.secret import Secret, SecretRef
from tests.real.ofrep_server import Ofrep, ofrep
from tests.tables import written

pytestmark = pytest.mark.real

IDENTITIES = 400
FLAGS = """{ "flags": { "reads": { "state": "ENABLED", "variants": {"convex": true, "old": false},
    "defaultVariant": "old", "targeting": {"fractional": [["convex", 0], ["old", 100]]} } } }
"""


@pytest.fixture(scope="module")
def flagd() -> Iterator[Ofrep]:
    with ofrep() as started:
        yield started


def no_secret(ref: SecretRef) -> Secret:
    raise AssertionError("a file has no secret")


class Served:
    """A file with our lever on it, and the core that is given the file as flagd would read it."""

    def __init__(self, path: Path, flagd: Ofrep, web: Web) -> None:
        self.path, self._flagd = path, flagd
        path.write_text(FLAGS)
        given = {"path": str(path), "format": "flagd", "new": "convex", "legacy": "old", "write": True}
        settings = written(FlagFileSettings, given)
        writer = build_writer(settings, web, no_secret, 5.0)
        assert writer is not None
        self.writer, self._reader = writer, build_reader(settings, web, no_secret, 5.0)
        self._web = web

    async def value(self) -> FlagValue:
        found = (await self._reader.read(["reads"]))["reads"]
        assert not isinstance(found, AdapterError), found
        return found

    async def share(self, *, without_value: str | None = None) -> Sample:
        """What the core serves to synthetic users, percent of them on the new side."""
        self._flagd.load(self.path.read_bytes())
        more = {} if without_value is None else {"without_value": without_value}
        settings = written(
            OfrepSettings, {"url": self._flagd.url, "identities": IDENTITIES, "per_poll": IDENTITIES, **more}
        )
        monitor: OfrepMonitor = build(settings, self._web, no_secret, 60.0)
        found = (await monitor.query(["reads share"]))["reads share"]
        assert isinstance(found, Sample), found
        return found


@pytest.mark.parametrize("percent", [ZERO, Percent.parse(0.5), Percent.parse(25), Percent.parse(12.5), FULL])
async def test_the_share_in_the_file_is_the_share_that_is_served(
    flagd: Ofrep, web: Web, tmp_path: Path, percent: Percent
) -> None:
    served = Served(tmp_path / "flags.json", flagd, web)
    result = await served.writer.set_percent("reads", percent, expected=await served.value())
    assert result.outcome is WriteOutcome.DONE, result
    share = (await served.share()).value
    assert share is not None
    low, high = interval(round(share * IDENTITIES / 100), IDENTITIES)
    assert low <= percent.value / 100 <= high
    if percent in (ZERO, FULL):
        assert share == percent.value


async def test_a_kill_leaves_every_user_to_the_default_of_the_code(
    flagd: Ofrep, web: Web, tmp_path: Path
) -> None:
    served = Served(tmp_path / "flags.json", flagd, web)
    await served.writer.set_percent("reads", Percent.parse(50), expected=await served.value())
    assert (await served.writer.kill("reads")).outcome is WriteOutcome.DONE
    assert (await served.share()).value is None, "flagd gives no value: what users get is the code's affair"
    assert (await served.share(without_value="legacy")).value == 0
    assert (await served.writer.zero("reads")).outcome is WriteOutcome.DONE
    again = await served.writer.set_percent("reads", Percent.parse(25), expected=await served.value())
    assert again.outcome is WriteOutcome.DONE
    assert ((await served.share()).value or 0) > 0
