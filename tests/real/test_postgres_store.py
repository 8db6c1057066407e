"""Counts and rows out of a real PostgreSQL, as parity asks for them, and what it must not do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import psycopg
import pytest

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.parity.postgres import PostgresStore, build
from cockpit.adapters.postgres_rows import HIDDEN
from cockpit.adapters.probes.postgres_settings import PostgresSettings
from cockpit.core.parity import Count, Exactness, Match, Tolerance, compare_counts
from cockpit.core.secret import Secret
from tests.adapters.probes.hostile import assert_harmless
from tests.real.postgres_server import Cluster, cluster
from tests.tables import written

pytestmark = pytest.mark.real

SAMPLE = "SELECT id FROM chats ORDER BY id LIMIT %(size)s"
ROWS = "SELECT id, title, rate, born, paid, seen_at, tags, extra FROM chats WHERE id::text = ANY(%(keys)s)"
SETUP = """
CREATE TABLE chats (id int PRIMARY KEY, title text, rate numeric, born date, paid boolean,
    seen_at timestamptz, tags text[], extra jsonb, ref uuid, raw bytea);
INSERT INTO chats SELECT n, 'chat ' || n, n / 4.0, '2026-01-02', n % 2 = 0,
    '2026-11-20 12:00:00+01', '{a,b}', '{"b": 1, "a": [2]}',
    ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'x' FROM generate_series(1, 9) n;
CREATE TABLE secured (id int);
INSERT INTO secured VALUES (1), (2);
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE ROLE outsider LOGIN;
GRANT SELECT ON chats, secured TO outsider;
CREATE ROLE passer LOGIN BYPASSRLS;
CREATE ROLE reader LOGIN;
CREATE ROLE keeper LOGIN;
CREATE TABLE partly AS SELECT n AS id, now() AS at FROM generate_series(1, 2) n;
ALTER TABLE partly ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON partly USING (id = 1);
CREATE TABLE narrowed AS SELECT n AS id FROM generate_series(1, 2) n;
ALTER TABLE narrowed ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON narrowed USING (true);
CREATE POLICY but ON narrowed AS RESTRICTIVE FOR SELECT USING (id = 1);
CREATE TABLE open AS SELECT n AS id FROM generate_series(1, 2) n;
ALTER TABLE open ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON open FOR SELECT USING (true);
CREATE VIEW seen WITH (security_invoker) AS SELECT id FROM partly;
GRANT SELECT ON partly, narrowed, seen TO outsider;
GRANT SELECT ON partly TO passer;
GRANT SELECT ON open TO reader;
CREATE TABLE forced AS SELECT n AS id FROM generate_series(1, 2) n;
ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
ALTER TABLE forced FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON forced USING (id = 1);
CREATE TABLE kept AS SELECT n AS id FROM generate_series(1, 2) n;
ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
ALTER TABLE forced OWNER TO keeper;
ALTER TABLE kept OWNER TO keeper;
"""
BY_UUID = "SELECT ref, title FROM chats WHERE ref::text = ANY(%(keys)s)"
NO_COUNTS = (
    "SELECT -1",
    "SELECT true",
    "SELECT NULL::int",
    "SELECT 1, 2",
    "SELECT id FROM chats",
    "SELECT 1.5",
    "SELECT '5'",
)


@pytest.fixture(scope="module")
def legacy() -> Iterator[Cluster]:
    with cluster() as made, made.running():
        with psycopg.connect(made.dsn(), autocommit=True) as connection:
            connection.execute(SETUP)
        yield made


@asynccontextmanager
async def store(legacy: Cluster, timeout_s: float = 30.0, dsn: str = "") -> AsyncIterator[PostgresStore]:
    settings = written(PostgresSettings, {"dsn": {"env": "LEGACY_DSN"}})
    made = build(settings, Web(), lambda _: Secret(dsn or legacy.dsn()), timeout_s)
    try:
        yield made
    finally:
        await made.aclose()


async def test_a_count_is_exact(legacy: Cluster) -> None:
    async with store(legacy) as data:
        assert await data.count("SELECT count(*) FROM chats WHERE title LIKE 'chat %'") == Count(n=9)
        assert (await data.count("SELECT count(*) FROM chats WHERE id < 0")).exactness is Exactness.EXACT


async def test_a_count_that_row_security_may_have_filtered_says_so(legacy: Cluster) -> None:
    """Who may see some rows or none is shown those, without an error."""
    async with store(legacy, dsn=legacy.dsn("outsider")) as data:
        for table, shown in (("secured", 0), ("partly", 1), ("narrowed", 1), ("seen", 1)):
            count = await data.count(f"SELECT count(*) FROM {table}")
            assert count == Count(n=shown, exactness=Exactness.FILTERED, note=HIDDEN), table
        joined = await data.count("SELECT count(*) FROM chats c LEFT JOIN partly s ON s.id = c.id")
        assert (joined.n, joined.exactness) == (9, Exactness.FILTERED)
        assert await data.count("SELECT count(*) FROM chats WHERE id < 0") == Count(n=0)
        assert await data.count("SELECT count(*) FROM chats") == Count(n=9)
        with pytest.raises(BrokenAnswer) as caught:
            await data.newest("SELECT max(at) FROM partly")
    assert HIDDEN in caught.value.failure.title
    found = compare_counts(count, Count(n=1), count, Tolerance())
    assert (found.match, HIDDEN in found.text) == (Match.UNKNOWN, True)


async def test_who_passes_by_row_security_counts_all(legacy: Cluster) -> None:
    """The owner, a role with BYPASSRLS, and one whose policies let every row through."""
    for role in (None, "passer"):
        async with store(legacy, dsn=legacy.dsn(role) if role else "") as data:
            assert await data.count("SELECT count(*) FROM partly") == Count(n=2)
    async with store(legacy, dsn=legacy.dsn("reader")) as data:
        assert await data.count("SELECT count(*) FROM open") == Count(n=2)


async def test_an_owner_whom_the_table_forces_is_filtered_as_well(legacy: Cluster) -> None:
    async with store(legacy, dsn=legacy.dsn("keeper")) as data:
        assert (await data.count("SELECT count(*) FROM forced")).exactness is Exactness.FILTERED
        assert await data.count("SELECT count(*) FROM kept") == Count(n=2)


async def test_the_newest_change(legacy: Cluster) -> None:
    async with store(legacy) as data:
        assert await data.newest("SELECT max(seen_at) FROM chats") == datetime(2026, 11, 20, 11, tzinfo=UTC)
        assert await data.newest("SELECT max(seen_at) FROM chats WHERE id < 0") is None
        assert await data.newest("SELECT '2026-01-01 00:00'::timestamp") == datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_sample_and_its_rows(legacy: Cluster) -> None:
    async with store(legacy) as data:
        keys = await data.sample(SAMPLE, 3)
        rows = await data.rows(ROWS, [*keys, "77"], key="id")
        refs = await data.sample("SELECT ref FROM chats ORDER BY id LIMIT %(size)s", 1)
        by_uuid = await data.rows(BY_UUID, refs, key="ref")
    assert keys == ("1", "2", "3")
    assert set(rows) == {"1", "2", "3"}
    assert rows["2"] == {
        "id": 2,
        "title": "chat 2",
        "rate": 0.5,
        "born": "2026-01-02",
        "paid": True,
        "seen_at": datetime(2026, 11, 20, 11, tzinfo=UTC),
        "tags": '["a","b"]',
        "extra": '{"a":[2],"b":1}',
    }
    assert refs == ("00000000-0000-0000-0000-000000000001",)
    assert by_uuid[refs[0]]["title"] == "chat 1"


@pytest.mark.parametrize("expression", NO_COUNTS)
async def test_what_is_no_count_is_refused(legacy: Cluster, expression: str) -> None:
    async with store(legacy) as data:
        with pytest.raises(BrokenAnswer):
            await data.count(expression)


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ("SELECT id, raw FROM chats WHERE id::text = ANY(%(keys)s)", "id"),
        ("SELECT title FROM chats WHERE id::text = ANY(%(keys)s)", "id"),
        ("SELECT c.id FROM chats c, chats d WHERE c.id::text = ANY(%(keys)s)", "id"),
        ("SELECT id FROM chats", "id"),
        ("SELECT generate_series(1, 20000) AS id", "id"),
    ],
)
async def test_rows_that_prove_nothing_are_refused(legacy: Cluster, expression: str, key: str) -> None:
    async with store(legacy) as data:
        with pytest.raises(BrokenAnswer) as caught:
            await data.rows(expression, ["1"], key=key)
    assert_harmless(caught.value)


@pytest.mark.parametrize(
    "expression",
    ["DELETE FROM chats", "COMMIT", "SELECT 1; DELETE FROM chats", "SELECT count(*) FROM nowhere"],
)
async def test_nothing_can_be_written_and_mistakes_are_the_plans(legacy: Cluster, expression: str) -> None:
    async with store(legacy) as data:
        with pytest.raises(RefusedByService) as caught:
            await data.count(expression)
        assert (await data.count("SELECT count(*) FROM chats")).n == 9
    assert_harmless(caught.value)


async def test_a_frozen_server_is_an_error_in_time() -> None:
    with cluster() as made, made.running() as server:
        async with store(made, timeout_s=1.0) as data:
            with server.frozen(), pytest.raises(AdapterError) as caught:
                await data.count("SELECT 1")
    assert isinstance(caught.value, NoAnswer) and caught.value.cause is Cause.TIMEOUT
