"""The postgres probe against real PostgreSQL clusters: well, following, frozen, stopped, full, pooled."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.postgres import PostgresProbe, build
from cockpit.adapters.probes.postgres_settings import PostgresProbeSettings
from cockpit.core.model import Fault, Health, ProbeValue
from cockpit.core.secret import Secret
from tests.adapters.probes.hostile import assert_harmless
from tests.real.postgres_server import GUARDED, Cluster, cluster, pooler
from tests.real.servers import free_port
from tests.tables import written

pytestmark = pytest.mark.real

PASSWORD = "throwaway-pw-77"


@pytest.fixture(scope="module")
def legacy() -> Iterator[Cluster]:
    with cluster() as made, made.running():
        run(
            made,
            "CREATE TABLE messages AS SELECT generate_series(1, 1000) AS id",
        )
        run(made, "CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(60)")
        run(made, f"CREATE ROLE {GUARDED} LOGIN PASSWORD '{PASSWORD}'")
        run(made, "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
        yield made


def run(on: Cluster, statement: str, *, database: str = "postgres") -> None:
    with psycopg.connect(on.dsn(), dbname=database, autocommit=True) as connection:
        connection.execute(statement.encode())


@asynccontextmanager
async def probing(dsn: str, *, timeout_s: float = 30.0, **more: object) -> AsyncIterator[PostgresProbe]:
    settings = written(PostgresProbeSettings, {"dsn": {"env": "LEGACY_DSN"}, **more})
    probe = build(settings, Web(), lambda _: Secret(dsn), timeout_s)
    try:
        yield probe
    finally:
        await probe.aclose()


async def ask(dsn: str, *, timeout_s: float = 30.0, **more: object) -> ProbeValue:
    async with probing(dsn, timeout_s=timeout_s, **more) as probe:
        value = await probe.probe()
    assert_harmless(value, PASSWORD, "127.0.0.1")
    return value


async def trouble_of(probe: PostgresProbe) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await probe.probe()
    assert_harmless(caught.value, PASSWORD, "127.0.0.1", GUARDED)
    return caught.value


async def until(condition: Callable[[ProbeValue], bool], probe: PostgresProbe) -> ProbeValue:
    """Poll until it is so; the test's own time limit ends what never becomes so."""
    while True:
        value = await probe.probe()
        if condition(value):
            return value
        await asyncio.sleep(0.05)


async def test_a_well_database_says_what_it_is(legacy: Cluster) -> None:
    value = await ask(legacy.dsn(), role="primary")
    facts = dict(value.facts)
    assert (value.health, value.detail) == (Health.OK, "answers")
    assert facts["version"].startswith("15.")
    assert (facts["role"], facts["replicas"], facts["writes"]) == ("primary", "0", "not measured yet")
    assert facts["connections"].endswith(" of 100")
    assert value.latency_ms is not None and value.latency_ms > 0
    assert value.server_time is not None


async def test_who_is_connected_is_told_by_application(legacy: Cluster) -> None:
    with (
        psycopg.connect(legacy.dsn(), application_name="legacy-api"),
        psycopg.connect(legacy.dsn(), application_name="legacy-api"),
        psycopg.connect(legacy.dsn(), application_name=""),
    ):
        facts = dict((await ask(legacy.dsn())).facts)
        assert (facts["from legacy-api"], facts["from without a name"]) == ("2", "1")
        blind = dict((await ask(legacy.dsn(GUARDED, PASSWORD))).facts)
        assert blind["from legacy-api"] == "2", "a role without rights over others sees as many"
    async with probing(legacy.dsn()) as probe:
        await until(lambda value: "from legacy-api" not in dict(value.facts), probe)


async def test_counts_are_marked_exact_or_estimated(legacy: Cluster) -> None:
    run(legacy, "CREATE TABLE fresh (id int) WITH (autovacuum_enabled = false)")
    counts = {"messages": "exact", "public.messages": "estimate", "fresh": "estimate", "absent": "estimate"}
    run(legacy, "ANALYZE messages")
    facts = dict((await ask(legacy.dsn(), counts={**counts, "missing": "exact"})).facts)
    assert facts["rows of messages"] == "1000 exact"
    assert facts["rows of public.messages"] == "1000 estimated"
    assert facts["rows of fresh"] == "not known: never analysed"
    assert facts["rows of absent"] == "no such table"
    assert facts["rows of missing"] == 'not known: relation "missing" does not exist'


async def test_a_count_under_row_security_is_not_called_exact(legacy: Cluster) -> None:
    run(legacy, "CREATE TABLE secured AS SELECT generate_series(1, 3) AS id")
    run(legacy, "ALTER TABLE secured ENABLE ROW LEVEL SECURITY")
    run(legacy, "CREATE POLICY few ON secured USING (id < 3)")
    run(legacy, f"GRANT SELECT ON secured TO {GUARDED}")
    seen = dict((await ask(legacy.dsn(GUARDED, PASSWORD), counts={"secured": "exact"})).facts)
    assert seen["rows of secured"] == "2 shown, rows may be hidden by row security"
    assert dict((await ask(legacy.dsn(), counts={"secured": "exact"})).facts)["rows of secured"] == "3 exact"


async def test_a_count_is_kept_until_it_is_time_for_the_next(legacy: Cluster) -> None:
    run(legacy, "CREATE TABLE counted AS SELECT 1 AS id")
    async with (
        probing(legacy.dsn(), counts={"counted": "exact"}) as seldom,
        probing(legacy.dsn(), counts={"counted": "exact"}, count_every="1ms") as always,
    ):
        for probe in (seldom, always):
            assert dict((await probe.probe()).facts)["rows of counted"] == "1 exact"
        run(legacy, "INSERT INTO counted VALUES (2)")
        assert dict((await seldom.probe()).facts)["rows of counted"].startswith("1 exact")
        assert dict((await always.probe()).facts)["rows of counted"] == "2 exact"


async def test_writes_are_measured_and_a_reset_is_no_rate(legacy: Cluster) -> None:
    async with probing(legacy.dsn()) as probe:
        await probe.probe()
        run(legacy, "CREATE TABLE written AS SELECT generate_series(1, 5000)")
        run(legacy, "INSERT INTO written SELECT generate_series(1, 5000)")
        value = await until(
            lambda value: not dict(value.facts)["writes"].startswith(("0.0 rows", "not")), probe
        )
        assert "rows/s" in dict(value.facts)["writes"]
        run(legacy, "SELECT pg_stat_reset()")
        await until(lambda value: dict(value.facts)["writes"] == "not known: the counters were reset", probe)
        await until(lambda value: "rows/s" in dict(value.facts)["writes"], probe)


async def test_a_replica_tells_how_far_behind_it_is(legacy: Cluster) -> None:
    with legacy.replica() as copy, copy.running():
        primary = await ask(legacy.dsn())
        wrong = await ask(copy.dsn(), role="primary")
        async with probing(copy.dsn(), role="replica", lag_limit="1h") as probe:
            value = await until(lambda value: dict(value.facts)["behind"] == "0.0 s", probe)
        run(copy, "SELECT pg_wal_replay_pause()")
        run(legacy, "CREATE TABLE behind AS SELECT generate_series(1, 1000)")
        async with probing(copy.dsn(), lag_limit="100ms") as probe:
            late = await until(lambda value: value.health is Health.DEGRADED, probe)
    assert dict(primary.facts)["replicas"].startswith("1")
    assert (wrong.health, wrong.detail) == (Health.DOWN, "is a replica, the plan expects a primary")
    assert (value.health, dict(value.facts)["role"]) == (Health.OK, "replica")
    assert late.detail.endswith("behind, the limit is 0.1 s")


async def test_a_replica_without_its_primary_is_not_called_caught_up() -> None:
    with cluster() as first, first.running() as server:
        run(first, "CREATE TABLE x AS SELECT 1")
        with first.replica() as copy, copy.running():
            async with probing(copy.dsn()) as probe:
                await until(lambda value: dict(value.facts)["behind"] == "0.0 s", probe)
                server.stop(signal.SIGQUIT)
                value = await until(lambda value: "not connected" in dict(value.facts)["behind"], probe)
    assert not dict(value.facts)["behind"].startswith("0.0 s")


async def test_a_frozen_server_is_unknown_and_then_well_again() -> None:
    with cluster() as made, made.running() as server:
        async with probing(made.dsn(), timeout_s=1.0) as fresh, probing(made.dsn(), timeout_s=1.0) as kept:
            await until_asked(kept)
            with server.frozen():
                for probe in (fresh, kept):
                    trouble = await trouble_of(probe)
                    assert isinstance(trouble, NoAnswer) and trouble.cause is Cause.TIMEOUT
            for probe in (fresh, kept):
                assert (await until_asked(probe)).health is Health.OK


async def until_asked(probe: PostgresProbe) -> ProbeValue:
    """The first answer: a second is little on a busy machine."""
    while True:
        try:
            return await probe.probe()
        except NoAnswer:
            await asyncio.sleep(0.05)


async def test_a_server_killed_is_down_and_back_again_is_ok() -> None:
    with cluster() as made:
        async with probing(made.dsn()) as probe:
            with made.running() as server:
                assert (await probe.probe()).health is Health.OK
                server.stop(signal.SIGQUIT)
                gone = await probe.probe()
            with made.running():
                back = await probe.probe()
    assert (gone.health, gone.detail) == (Health.DOWN, "the database's host refuses the connection")
    assert back.health is Health.OK


async def test_a_server_that_is_stopping_says_so_and_is_down() -> None:
    """A smart shutdown waits for sessions and takes no new ones."""
    with cluster() as made, made.running() as server, psycopg.connect(made.dsn()):
        server.process.send_signal(signal.SIGTERM)
        async with probing(made.dsn()) as probe:
            value = await until(lambda value: value.health is Health.DOWN, probe)
    assert value.detail == "the database system is shutting down"


async def test_a_wrong_password_is_unknown_and_shows_nothing(legacy: Cluster) -> None:
    async with probing(legacy.dsn(GUARDED, PASSWORD + "x")) as probe:
        trouble = await trouble_of(probe)
    assert isinstance(trouble, RefusedByService)
    assert (trouble.failure.title, trouble.failure.fault) == (
        "the database does not let this user in",
        Fault.CREDENTIAL,
    )
    assert (await ask(legacy.dsn(GUARDED, PASSWORD))).health is Health.OK


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ("dbname=no_such_database", "there is no such database"),
        ("user=no_such_role", "the database does not let this user in"),
        ("sslmode=require", "TLS with the database was not set up"),
        ("host=no-such-host.invalid", "no address for the name of the database's host"),
    ],
)
async def test_what_the_plan_gets_wrong_is_unknown(legacy: Cluster, change: str, title: str) -> None:
    dsn = f"host=127.0.0.1 port={legacy.port} user=postgres password={PASSWORD} dbname=postgres {change}"
    async with probing(dsn) as probe:
        trouble = await trouble_of(probe)
    assert trouble.failure.title == title
    assert change.partition("=")[2] not in repr(trouble.failure) or change.startswith("sslmode")


async def test_missing_rights_are_told_at_the_count_alone(legacy: Cluster) -> None:
    value = await ask(legacy.dsn(GUARDED, PASSWORD), counts={"messages": "exact"})
    assert value.health is Health.OK
    assert dict(value.facts)["rows of messages"] == "not known: permission denied for table messages"


async def test_no_place_for_another_connection_is_degraded(legacy: Cluster) -> None:
    value = await ask(legacy.dsn("crowded"))
    assert (value.health, value.detail) == (Health.DEGRADED, "it takes no more connections")


async def test_a_count_that_takes_too_long_is_told_and_harms_nothing_else(legacy: Cluster) -> None:
    value = await ask(legacy.dsn(), timeout_s=6.0, counts={"slow": "exact"})
    assert value.health is Health.OK
    assert "did not answer a question within" in dict(value.facts)["rows of slow"]


async def test_a_session_that_somebody_ended_is_made_again_at_once(legacy: Cluster) -> None:
    async with probing(legacy.dsn()) as probe:
        assert (await probe.probe()).health is Health.OK
        run(
            legacy,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'cutover-cockpit'",
        )
        assert (await probe.probe()).health is Health.OK


async def test_a_poll_that_is_given_up_leaves_no_session_behind(legacy: Cluster) -> None:
    async with probing(legacy.dsn(), counts={"slow": "exact"}) as probe:
        poll = asyncio.create_task(probe.probe())
        with psycopg.connect(legacy.dsn(), autocommit=True) as watcher:
            await until_sessions(watcher, "active", lambda found: found > 0)
            poll.cancel()
            with pytest.raises(asyncio.CancelledError):
                await poll
            run(
                legacy,
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE '%slow%' AND pid <> pg_backend_pid()",
            )
            await until_sessions(watcher, "%", lambda found: found == 0)


async def until_sessions(
    watcher: psycopg.Connection[tuple[int]], state: str, so_many: Callable[[int], bool]
) -> None:
    while True:
        if so_many(sessions(watcher, state)):
            return
        await asyncio.sleep(0.02)


def sessions(watcher: psycopg.Connection[tuple[int]], state: str) -> int:
    found = watcher.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cutover-cockpit' AND state LIKE %s",
        [state],
    ).fetchone()
    assert found is not None
    return found[0]


async def test_through_a_pooler_and_while_it_is_paused(legacy: Cluster) -> None:
    with pooler(legacy) as pool:
        async with probing(
            pool.dsn(), timeout_s=2.0, counts={"messages": "exact"}, count_every="1ms"
        ) as probe:
            value = await until_asked(probe)
            assert dict(value.facts)["rows of messages"] == "1000 exact"
            run(pool, "PAUSE", database="pgbouncer")
            trouble = await trouble_of(probe)
            run(pool, "RESUME", database="pgbouncer")
            assert (await until_asked(probe)).health is Health.OK
    assert isinstance(trouble, NoAnswer) and trouble.cause is Cause.TIMEOUT


async def test_a_closed_port_is_down(legacy: Cluster) -> None:
    dsn = legacy.dsn().replace(str(legacy.port), str(free_port()))
    assert (await ask(dsn)).health is Health.DOWN


async def test_a_text_that_is_no_connection_string_is_refused_and_not_repeated() -> None:
    with pytest.raises(RefusedByService) as caught:
        await ask(f"postgresql://u:{PASSWORD}@h/db?no_such_option=1")
    assert_harmless(caught.value, PASSWORD)
    assert caught.value.failure.fault is Fault.CREDENTIAL
