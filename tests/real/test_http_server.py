"""What only a real HTTP server shows: certificates, credentials, crashes, redirects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import monotonic

import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.flags.http_json import build_reader, build_writer
from cockpit.adapters.flags.http_json_settings import HttpJsonSettings
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.http import HttpProbe, build
from cockpit.adapters.probes.settings import HttpProbeSettings
from cockpit.core.clean import Percent
from cockpit.core.model import Fault, FlagValue, Health, WriteOutcome
from cockpit.engine.clock import SystemClock
from tests.adapters.probes.rig import the_token
from tests.real.http_server import Secured, Service, secured_service, service
from tests.tables import written

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def backend() -> Iterator[Service]:
    with service() as running:
        yield running


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with secured_service(days=20) as running:
        yield running


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web(clock=SystemClock())
    yield made
    await made.aclose()


def probe_of(web: Web, url: str, **settings: object) -> HttpProbe:
    return build(written(HttpProbeSettings, {"url": url, **settings}), web, the_token, 20.0)


async def test_the_days_of_the_certificate_are_a_fact(web: Web, secured: Secured) -> None:
    value = await probe_of(web, f"{secured.url}/health", ca_file=secured.ca_file, tls_days=14).probe()
    assert value.health is Health.OK
    assert dict(value.facts)["certificate"] in ("20.0 days left", "19.9 days left")


async def test_a_certificate_that_runs_out_is_degraded(web: Web, secured: Secured) -> None:
    value = await probe_of(web, f"{secured.url}/health", ca_file=secured.ca_file, tls_days=30).probe()
    assert value.health is Health.DEGRADED
    assert "the limit is 30" in value.detail


async def test_an_unknown_authority_could_not_be_asked(web: Web, secured: Secured) -> None:
    with pytest.raises(NoAnswer) as caught:
        await probe_of(web, f"{secured.url}/health").probe()
    assert (caught.value.cause, caught.value.sent) == (Cause.TLS, False)


async def test_an_ended_certificate_could_not_be_asked_and_says_so(web: Web) -> None:
    with secured_service(days=0) as ended:
        probe = probe_of(web, f"{ended.url}/health", ca_file=ended.ca_file)
        error = await _trouble_of(probe)
    assert isinstance(error, NoAnswer) and error.cause is Cause.TLS
    assert "expired" in error.failure.title


async def _trouble_of(probe: HttpProbe, within_s: float = 10.0) -> AdapterError:
    """The first error; the certificate ends in the second in which it was made."""
    give_up_at = monotonic() + within_s
    while monotonic() < give_up_at:
        try:
            await probe.probe()
        except AdapterError as error:
            return error
        await asyncio.sleep(0.1)
    raise AssertionError("it never failed")


async def test_a_guarded_page_needs_the_token(web: Web, backend: Service) -> None:
    with pytest.raises(RefusedByService) as caught:
        await probe_of(web, f"{backend.url}/guarded").probe()
    assert caught.value.failure.fault is Fault.CREDENTIAL
    value = await probe_of(web, f"{backend.url}/guarded", token={"env": "T"}).probe()
    assert value.health is Health.OK


async def test_an_unhandled_exception_is_down(web: Web, backend: Service) -> None:
    value = await probe_of(web, f"{backend.url}/fails").probe()
    assert (value.health, value.detail) == (Health.DOWN, "answers 500, the plan expects 200")


async def test_a_redirect_is_no_health_proof(web: Web, backend: Service) -> None:
    value = await probe_of(web, f"{backend.url}/moved").probe()
    assert value.health is Health.DOWN
    assert value.detail.startswith("answers 307 and redirects")


async def test_a_stopped_service_refuses_and_is_down(web: Web) -> None:
    with service() as backend:
        probe = probe_of(web, f"{backend.url}/health")
        assert (await probe.probe()).health is Health.OK
    value = await probe.probe()
    assert value.health is Health.DOWN
    assert "connection refused" in value.detail


async def test_a_flag_is_moved_over_tls_and_its_guard_holds(web: Web, secured: Secured) -> None:
    wanted = written(
        HttpJsonSettings,
        {
            "url": secured.url,
            "ca_file": secured.ca_file,
            "token": {"env": "ANY"},
            "write_token": {"env": "ANY"},
            "guard": "etag",
            "read": {"path": "/flags/{key}", "percent": "/percent"},
            "write": {"path": "/flags/{key}", "body": {"percent": "{percent}"}},
        },
    )
    reader, writer = build_reader(wanted, web, the_token, 20.0), build_writer(wanted, web, the_token, 20.0)
    seen = (await reader.read(["chat"]))["chat"]
    assert isinstance(seen, FlagValue)
    assert writer is not None
    results = [await writer.set_percent("chat", Percent.parse(25), expected=seen) for _ in range(2)]
    assert [result.outcome for result in results] == [WriteOutcome.DONE, WriteOutcome.REFUSED]
    assert (await writer.kill("chat")).outcome is WriteOutcome.DONE
    after = (await reader.read(["chat"]))["chat"]
    assert isinstance(after, FlagValue)
    assert after.exposure == Percent.parse(0)
