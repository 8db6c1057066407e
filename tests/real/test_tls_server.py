"""The tls probe against a real TLS server: days, names, issuer; an ended, a strange and a misnamed one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from cockpit.adapters.base import RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.tls import TlsProbe, TlsProbeSettings, build
from cockpit.core.model import Health, ProbeValue
from cockpit.engine.clock import SystemClock
from tests.adapters.probes.rig import the_token
from tests.adapters.probes.sockets import saying, silence, talking
from tests.real.http_server import Secured, secured_service
from tests.real.servers import free_port
from tests.tables import written

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with secured_service(days=20) as running:
        yield running


@pytest_asyncio.fixture
async def web() -> AsyncIterator[Web]:
    made = Web(clock=SystemClock())
    yield made
    await made.aclose()


def probe_of(web: Web, secured: Secured, *, timeout_s: float = 20.0, **more: object) -> TlsProbe:
    """more: settings; None for one that the plan does not name."""
    settings = {"host": "127.0.0.1", "port": int(secured.url.rpartition(":")[2]), "ca_file": secured.ca_file}
    named = {name: value for name, value in {**settings, **more}.items() if value is not None}
    return build(written(TlsProbeSettings, named), web, the_token, timeout_s)


async def ask(web: Web, secured: Secured, **more: object) -> ProbeValue:
    return await probe_of(web, secured, **more).probe()  # type: ignore[arg-type]  # settings of any kind


async def test_a_good_certificate_is_ok_and_shows_itself(web: Web, secured: Secured) -> None:
    value = await ask(web, secured)
    facts = dict(value.facts)
    assert (value.health, value.detail) == (
        Health.OK,
        "its certificate is good and leads to a trusted authority",
    )
    assert facts["certificate"] in ("20.0 days left", "19.9 days left")
    assert (facts["names"], facts["issuer"]) == ("127.0.0.1", "cockpit test CA")
    assert facts["protocol"] == "TLSv1.3"
    assert value.latency_ms is not None and value.latency_ms > 0


async def test_few_days_left_and_another_issuer_are_degraded(web: Web, secured: Secured) -> None:
    few = await ask(web, secured, tls_days=30)
    assert few.health is Health.DEGRADED
    assert few.detail.endswith("the limit is 30")
    other = await ask(web, secured, issuer="Let's Encrypt")
    assert other.health is Health.DEGRADED
    assert other.detail == "signed by cockpit test CA, the plan expects Let's Encrypt"


async def test_a_certificate_for_another_name_is_down(web: Web, secured: Secured) -> None:
    value = await ask(web, secured, server_name="api.example.com")
    assert value.health is Health.DOWN
    assert "api.example.com" in value.detail


async def test_an_authority_that_we_do_not_trust_is_unknown(web: Web, secured: Secured) -> None:
    with pytest.raises(NoAnswer) as caught:
        await ask(web, secured, ca_file=None)
    assert caught.value.cause is Cause.TLS


async def test_an_ended_certificate_is_down(web: Web) -> None:
    """It ends in the second in which it was made."""
    with secured_service(days=0) as ended:
        value = await ask(web, ended)
        while value.health is not Health.DOWN:
            value = await ask(web, ended)
    assert "expired" in value.detail


async def test_a_closed_port_is_down(web: Web, secured: Secured) -> None:
    value = await ask(web, secured, port=free_port())
    assert value.health is Health.DOWN
    assert "refused" in value.detail


async def test_silence_and_another_protocol_are_unknown(web: Web, secured: Secured) -> None:
    async with talking(silence) as port:
        with pytest.raises(NoAnswer) as caught:
            await probe_of(web, secured, port=port, timeout_s=0.5).probe()
    assert caught.value.cause is Cause.TIMEOUT
    async with talking(saying(b"220 mail.example ESMTP\r\n")) as port:
        with pytest.raises(NoAnswer) as caught:
            await probe_of(web, secured, port=port).probe()
    assert caught.value.cause is Cause.TLS
    assert caught.value.failure.title.endswith("that port does not speak TLS")


async def test_a_ca_file_that_is_none_is_the_plans_fault(web: Web, secured: Secured) -> None:
    for wrong in ("/no/such/file.pem", __file__):
        with pytest.raises(RefusedByService) as caught:
            probe_of(web, secured, ca_file=wrong)
        assert caught.value.failure.title == "the CA file cannot be used"
