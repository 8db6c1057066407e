"""Numbers by SQL from a real PostgreSQL: one number or the reason why not, and no way to write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from cockpit.adapters.base import AdapterError, RefusedByService, ServiceTrouble
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.probes.postgres_settings import PostgresSettings
from cockpit.adapters.signals.postgres import PostgresMonitor, build
from cockpit.core.model import Fault, Quality, Sample
from cockpit.core.secret import Secret
from tests.adapters.probes.hostile import assert_harmless
from tests.real.postgres_server import Cluster, cluster
from tests.tables import written

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def legacy() -> Iterator[Cluster]:
    with cluster() as made, made.running():
        with psycopg.connect(made.dsn(), autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE messages AS SELECT n AS id, n % 4 = 0 AS failed FROM generate_series(1, 400) n"
            )
            connection.execute("CREATE SEQUENCE tickets")
            connection.execute("CREATE TABLE jobs AS SELECT generate_series(1, 5) AS id")
            connection.execute("ALTER TABLE jobs ENABLE ROW LEVEL SECURITY")
            connection.execute("CREATE ROLE outsider LOGIN")
            connection.execute("GRANT SELECT ON jobs, messages TO outsider")
            connection.execute(
                "CREATE FUNCTION sneaky() RETURNS int LANGUAGE sql VOLATILE AS"
                " 'INSERT INTO messages VALUES (0, false) RETURNING id'"
            )
        yield made


@asynccontextmanager
async def monitoring(
    legacy: Cluster, timeout_s: float = 30.0, *, user: str | None = None
) -> AsyncIterator[PostgresMonitor]:
    settings = written(PostgresSettings, {"dsn": {"env": "LEGACY_DSN"}})
    dsn = legacy.dsn(user) if user else legacy.dsn()
    monitor = build(settings, Web(), lambda _: Secret(dsn), timeout_s)
    try:
        yield monitor
    finally:
        await monitor.aclose()


async def answer_to(legacy: Cluster, expression: str) -> Sample | AdapterError:
    async with monitoring(legacy) as monitor:
        answer = (await monitor.query([expression]))[expression]
    assert_harmless(answer)
    return answer


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        ("SELECT count(*) FROM messages", 400),
        ("SELECT count(*) FROM messages WHERE failed;", 100),
        ("SELECT sum(id)::numeric / 100 FROM messages", 802),
        ("SELECT 0.25::float8 -- a quarter", 0.25),
        ("WITH bad AS (SELECT * FROM messages WHERE failed) SELECT count(*) FROM bad", 100),
        ("VALUES (7)", 7),
        ("SELECT count(*) FROM messages WHERE 'a%b' LIKE 'a%' AND id % 2 = 0", 200),
    ],
)
async def test_one_number(legacy: Cluster, expression: str, number: float) -> None:
    answer = await answer_to(legacy, expression)
    assert isinstance(answer, Sample), answer
    assert (answer.value, answer.quality) == (number, Quality.GOOD)
    assert answer.source_time is not None


@pytest.mark.parametrize(
    ("expression", "quality", "note"),
    [
        ("SELECT id FROM messages WHERE id < 0", Quality.NO_DATA, "no row (this is not zero)"),
        ("SELECT max(id) FROM messages WHERE id < 0", Quality.NO_DATA, "NULL (this is not zero)"),
        ("SELECT 'NaN'::float8", Quality.NOT_FINITE, "the query gives nan, which is no number"),
        ("SELECT 'NaN'::numeric", Quality.NOT_FINITE, "the query gives NaN, which is no number"),
        ("SELECT 'Infinity'::float8", Quality.NOT_FINITE, "the query gives inf, which is no number"),
        ("SELECT 10::numeric ^ 400", Quality.NOT_FINITE, "which is no number"),
        ("SELECT -1", Quality.ERROR, "the query gives -1: a counter cannot be negative"),
        ("SELECT true", Quality.ERROR, "the query gives bool, expected one number"),
        ("SELECT '5'", Quality.ERROR, "the query gives str, expected one number"),
        ("SELECT id FROM messages", Quality.ERROR, "the query gives several rows, expected one number"),
        ("SELECT 1, 2", Quality.ERROR, "the query gives 2 columns, expected one number"),
    ],
)
async def test_no_number_and_why(legacy: Cluster, expression: str, quality: Quality, note: str) -> None:
    answer = await answer_to(legacy, expression)
    assert isinstance(answer, Sample), answer
    assert (answer.value, answer.quality) == (None, quality)
    assert note in answer.note


@pytest.mark.parametrize(
    "expression",
    [
        "DELETE FROM messages",
        "WITH gone AS (DELETE FROM messages RETURNING 1) SELECT count(*) FROM gone",
        "COMMIT",
        "SELECT 1; DELETE FROM messages",
        "SELECT 1) AS asked; COMMIT; DELETE FROM messages; SELECT * FROM (SELECT 1",
        "SELECT 1) AS asked; DELETE FROM messages; --",
        "SELECT sneaky()",
        "SELECT nextval('tickets')",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT count(*) FROM messages FOR UPDATE",
    ],
)
async def test_nothing_can_be_written(legacy: Cluster, expression: str) -> None:
    async with monitoring(legacy) as monitor:
        answers = await monitor.query([expression, "SELECT count(*) FROM messages", "DELETE FROM messages"])
        again = await monitor.query(["SELECT count(*) FROM messages"])
    assert isinstance(answers[expression], RefusedByService), answers
    for each in (answers, again):
        counted = each["SELECT count(*) FROM messages"]
        assert isinstance(counted, Sample) and counted.value == 400


async def test_one_bad_question_does_not_spoil_the_others(legacy: Cluster) -> None:
    async with monitoring(legacy) as monitor:
        answers = await monitor.query(["SELECT 1", "SELECT no_such_column FROM messages", "SELECT 2"])
    wrong = answers["SELECT no_such_column FROM messages"]
    assert isinstance(wrong, RefusedByService)
    assert wrong.failure.fault is Fault.PLAN
    assert wrong.failure.detail == 'column "no_such_column" does not exist'
    assert [each.value for each in answers.values() if isinstance(each, Sample)] == [1, 2]


async def test_a_slow_question_is_ended_and_the_others_go_on(legacy: Cluster) -> None:
    async with monitoring(legacy, timeout_s=6.0) as monitor:
        answers = await monitor.query(["SELECT 1", "SELECT 1 FROM pg_sleep(60)", "SELECT 2"])
    slow = answers["SELECT 1 FROM pg_sleep(60)"]
    assert isinstance(slow, ServiceTrouble)
    assert "did not answer a question within" in slow.failure.title
    assert [each.value for each in answers.values() if isinstance(each, Sample)] == [1, 2]


async def test_a_frozen_server_is_the_trouble_of_the_whole_source() -> None:
    with cluster() as made, made.running() as server:
        async with monitoring(made, timeout_s=1.0) as monitor:
            with server.frozen(), pytest.raises(NoAnswer) as caught:
                await monitor.query(["SELECT 1"])
    assert caught.value.cause is Cause.TIMEOUT


async def test_preflight_says_what_is_wrong_with_which_expression(legacy: Cluster) -> None:
    async with monitoring(legacy) as monitor:
        lines = await monitor.preflight(
            ["SELECT 1", "SELECT -1", "SELECT max(id) FROM messages WHERE id < 0", "SELEKT 1"]
        )
    assert [line.ok for line in lines] == [True, True, True, False, None, False]
    assert lines[0].detail.startswith("PostgreSQL 15.")
    assert lines[1].question == "is asked read-only"


async def test_an_empty_queue_that_nobody_shows_us_is_no_zero(legacy: Cluster) -> None:
    """It would end a drain: five jobs wait, and row security shows this user none."""
    asked = ["SELECT count(*) FROM jobs", "SELECT count(*) FROM messages", "SELECT nonsense"]
    async with monitoring(legacy, user="outsider") as monitor:
        for _ in range(2):
            answers = await monitor.query(asked)
            first, second, wrong = (answers[each] for each in asked)
            assert isinstance(first, Sample)
            assert (first.value, first.quality) == (None, Quality.PARTIAL)
            assert first.note == "rows may be hidden by row security from this user"
            assert isinstance(second, Sample) and second.value == 400
            assert isinstance(wrong, RefusedByService)
        (line,) = [each for each in await monitor.preflight(asked[:1]) if "jobs" in each.subject]
        assert (line.ok, "row security" in line.detail) == (None, True)
    async with monitoring(legacy) as monitor:
        (owned,) = (await monitor.query(asked[:1])).values()
        assert isinstance(owned, Sample) and owned.value == 5
