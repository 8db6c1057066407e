"""The mistakes of a chat migration's own plan, each caught: PostgreSQL on legacy, convex-test on new.

convex-test is the official mock of Convex functions, not a Convex backend.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
import pytest_asyncio

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService
from cockpit.adapters.http import Web
from cockpit.adapters.parity import convex, postgres
from cockpit.adapters.parity.settings import ConvexStoreSettings
from cockpit.adapters.probes.postgres_settings import PostgresSettings
from cockpit.core.parity import Exactness, Match, ParityValue
from cockpit.core.parity_rows import FieldKind, FieldRule
from cockpit.core.parity_spec import ParitySpec, Question, SideQuery
from cockpit.core.secret import Secret, SecretRef
from cockpit.engine.parity_look import look
from tests.real.convex_server import INSTANCE, READ_KEY, ConvexTest, convex_test
from tests.real.postgres_server import Cluster, cluster
from tests.tables import written

pytestmark = pytest.mark.real

TABLES = """
CREATE TABLE chats (
  id varchar PRIMARY KEY, user_id varchar NOT NULL, title varchar NOT NULL, timestamp timestamp NOT NULL,
  parent_chat_id varchar, created_at timestamp NOT NULL, is_deleted boolean NOT NULL DEFAULT false);
CREATE TABLE messages (
  id varchar PRIMARY KEY, chat_id varchar NOT NULL, content text NOT NULL, role varchar NOT NULL,
  timestamp timestamp NOT NULL, is_deleted boolean NOT NULL DEFAULT false);
INSERT INTO chats
  SELECT 'c' || n, 'u' || n % 4, 'Chat ' || n, timestamp '2026-03-01 08:00' + n * interval '1 minute',
         CASE WHEN n % 5 = 0 THEN 'c' || n - 1 END, timestamp '2026-02-01 08:00' + n * interval '1 hour',
         n % 8 = 0
  FROM generate_series(1, 40) n;
INSERT INTO messages
  SELECT 'm' || n, 'c' || 1 + n % 40, 'Text ' || n, CASE WHEN n % 2 = 0 THEN 'human' ELSE 'ai' END,
         timestamp '2026-03-01 09:00' + n * interval '1 second', n % 10 = 0
  FROM generate_series(1, 100) n;
"""

CHATS = ParitySpec(
    name="chats",
    title="Chats",
    question=Question.COUNT,
    legacy=SideQuery(store="pg", ask="SELECT count(*) FROM chats WHERE NOT is_deleted"),
    new=SideQuery(
        store="convex",
        ask='parity:count {"table":"chats","deleted":false,"paginationOpts":{"numItems":7,"cursor":null}}',
    ),
    interval_s=300,
    timeout_s=30,
)
MESSAGES = replace(
    CHATS,
    legacy=SideQuery(store="pg", ask="SELECT count(*) FROM messages"),
    new=SideQuery(store="convex", ask='chatSync:countByCollecting {"table":"messages"}'),
)
CHAT_ROWS = ParitySpec(
    name="chat rows",
    title="Chats field by field",
    question=Question.ROWS,
    legacy=SideQuery(
        store="pg",
        sample="SELECT id FROM chats ORDER BY id LIMIT %(size)s",
        rows="SELECT * FROM chats WHERE id = ANY(%(keys)s)",
    ),
    new=SideQuery(
        store="convex",
        sample='parity:sample {"table":"chats"}',
        rows='parity:rows {"table":"chats"}',
        key="originalId",
    ),
    interval_s=300,
    timeout_s=30,
    size=40,
    fields=(
        FieldRule(legacy="title", new="title"),
        FieldRule(legacy="user_id", new="userId"),
        FieldRule(legacy="timestamp", new="timestamp", kind=FieldKind.INSTANT),
        FieldRule(legacy="created_at", new="createdAt", kind=FieldKind.INSTANT),
        FieldRule(
            legacy="parent_chat_id",
            new="parentChatId",
            kind=FieldKind.REFERENCE,
            table='parity:rows {"table":"chats"}',
        ),
        FieldRule(legacy="is_deleted", new="isDeleted", empty=False),
    ),
)
MESSAGE_ROWS = replace(
    CHAT_ROWS,
    name="message rows",
    legacy=SideQuery(
        store="pg",
        sample="SELECT id FROM messages WHERE content LIKE 'Text 1%%' ORDER BY id LIMIT %(size)s",
        rows="SELECT * FROM messages WHERE id = ANY(%(keys)s)",
    ),
    new=SideQuery(store="convex", rows='parity:rows {"table":"messages"}', key="originalId"),
    size=20,
    fields=(
        FieldRule(legacy="content", new="content"),
        FieldRule(
            legacy="role", new="role", kind=FieldKind.ENUM, values={"human": "user", "ai": "assistant"}
        ),
        FieldRule(legacy="timestamp", new="timestamp", kind=FieldKind.INSTANT),
    ),
)


@pytest.fixture(scope="module")
def legacy() -> Iterator[Cluster]:
    with cluster() as made, made.running():
        with psycopg.connect(made.dsn(), autocommit=True) as connection:
            connection.execute(TABLES)
        yield made


@pytest.fixture(scope="module")
def functions() -> Iterator[ConvexTest]:
    with convex_test() as running:
        yield running


Stores = tuple[postgres.PostgresStore, convex.ConvexStore]


@pytest_asyncio.fixture
async def stores(legacy: Cluster, functions: ConvexTest) -> AsyncIterator[Stores]:
    web = Web()
    old = postgres.build(
        written(PostgresSettings, {"dsn": {"env": "X"}}), web, lambda _: Secret(legacy.dsn()), 30.0
    )
    settings = ConvexStoreSettings(url=functions.url, instance=INSTANCE, key=SecretRef(env="X"))
    new = convex.build(settings, web, lambda _: Secret(READ_KEY), 30.0)
    yield old, new
    await old.aclose()
    await web.aclose()


def migrate(
    legacy: Cluster, functions: ConvexTest, *mistakes: str, chats: str = "true", messages: str = "true"
) -> None:
    """Export as the plan did (`chats`, `messages`: what is exported), and import with these mistakes."""

    def exported(query: str) -> list[dict[str, object]]:
        with psycopg.connect(legacy.dsn()) as connection:
            answer = connection.execute(f"SELECT row_to_json(found) FROM ({query}) found".encode())
            return [row for (row,) in answer.fetchall()]

    functions.call("mutation", "chatSync:forget", {})
    for kind, where in (("chats", chats), ("messages", messages)):
        rows = exported(f"SELECT * FROM {kind} WHERE {where} ORDER BY id")
        args = {kind: rows, "mistakes": list(mistakes)}
        functions.call("mutation", f"chatSync:import{kind.capitalize()}", args)


def named(value: ParityValue) -> list[str]:
    return [difference.what for difference in value.differences]


async def test_a_migration_without_mistakes_agrees_in_everything(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions)
    for check in (CHATS, MESSAGES, CHAT_ROWS, MESSAGE_ROWS):
        value = await look(check, *stores)
        assert (value.match, value.differences) == (Match.EQUAL, ()), value


async def test_messages_whose_chats_lost_their_original_id_are_all_missing(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions, "no original id")
    assert (await look(CHATS, *stores)).match is Match.EQUAL, "the plan's own check saw nothing wrong"
    counted = await look(MESSAGES, *stores)
    assert (counted.match, counted.apart) == (Match.DIFFERENT, -100)
    rows = await look(MESSAGE_ROWS, *stores)
    assert (rows.match, rows.apart) == (Match.DIFFERENT, 1000)
    assert "was the key stored on import?" in rows.text


async def test_a_global_count_against_one_users_chats_is_a_difference(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions)
    one_user = replace(CHATS, new=SideQuery(store="convex", ask='chatSync:countOfUser {"userId":"u1"}'))
    value = await look(one_user, *stores)
    assert (value.match, value.apart) == (Match.DIFFERENT, 10 - 35)


async def test_deleted_rows_that_were_never_exported_are_missed_by_a_check_of_their_own(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions, chats="NOT is_deleted")
    assert (await look(CHATS, *stores)).match is Match.EQUAL
    deleted = replace(
        CHATS,
        legacy=SideQuery(store="pg", ask="SELECT count(*) FROM chats WHERE is_deleted"),
        new=SideQuery(store="convex", ask=CHATS.new.ask.replace("false", "true")),
    )
    value = await look(deleted, *stores)
    assert (value.match, value.apart) == (Match.DIFFERENT, -5)
    assert "rows are not on the new side" in named(await look(CHAT_ROWS, *stores))[0]


@pytest.mark.parametrize(
    ("mistake", "check", "said"),
    [
        ("times dropped", CHAT_ROWS, "createdAt is absent in all 40 rows"),
        ("stale parents", CHAT_ROWS, "parentChatId still is legacy's id in 8 of 40 rows"),
        ("role unmapped", MESSAGE_ROWS, "role is not the mapped value in all 12 rows"),
        ("zone", MESSAGE_ROWS, "timestamp is off by exactly -2.0 h (time zone?) in all 12 rows"),
    ],
)
async def test_what_went_wrong_with_a_field_is_named_by_field_and_cause(
    legacy: Cluster, functions: ConvexTest, stores: Stores, mistake: str, check: ParitySpec, said: str
) -> None:
    migrate(legacy, functions, mistake)
    value = await look(check, *stores)
    assert value.match is Match.DIFFERENT
    assert said in named(value)


async def test_a_legacy_time_without_a_zone_is_read_in_the_zone_of_the_plan(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions, "zone")
    from zoneinfo import ZoneInfo

    rule = FieldRule(
        legacy="timestamp", new="timestamp", kind=FieldKind.INSTANT, zone=ZoneInfo("Africa/Maputo")
    )
    value = await look(replace(MESSAGE_ROWS, fields=(rule,)), *stores)
    assert value.match is Match.EQUAL


async def test_a_count_that_collects_fails_beyond_the_scan_limit_and_one_in_pages_does_not(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    functions.call("mutation", "chatSync:forget", {})
    for start in range(0, 33_000, 3_000):
        functions.call("mutation", "chatSync:many", {"size": 3_000, "from": start})
    _, new = stores
    with pytest.raises(AdapterError) as collected:
        await new.count('chatSync:countByCollecting {"table":"chats"}')
    assert "32,000 documents" in collected.value.failure.detail
    paged = CHATS.new.ask.replace('"numItems":7', '"numItems":1000')
    assert (await new.count(paged)).n == 33_000
    functions.call("mutation", "chatSync:forget", {})


async def test_rows_that_only_the_new_side_has_are_found(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions)
    functions.call("mutation", "chatSync:many", {"size": 2, "from": 0})
    value = await look(CHAT_ROWS, *stores)
    assert named(value) == ["2 rows of the new side are not on legacy"]


async def test_a_legacy_that_goes_on_writing_is_noise(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions)
    old, new = stores
    counted = old.count

    async def counted_and_written(expression: str) -> object:
        found = await counted(expression)
        with psycopg.connect(legacy.dsn(), autocommit=True) as connection:
            connection.execute("INSERT INTO chats SELECT 'late' || random(), 'u1', 'T', now(), NULL, now()")
        return found

    old.count = counted_and_written  # type: ignore[assignment, method-assign]
    try:
        value = await look(CHATS, old, new)
    finally:
        with psycopg.connect(legacy.dsn(), autocommit=True) as connection:
            connection.execute("DELETE FROM chats WHERE id LIKE 'late%'")
    assert value.match is Match.NOISE


# --- what the stores themselves promise ----------------------------------------------------------------


async def test_the_newest_change_of_both_sides(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions)
    old, new = stores
    told = await old.newest("SELECT max(timestamp) FROM messages")
    assert told is not None and told.isoformat() == "2026-03-01T09:01:40+00:00"
    assert await old.newest("SELECT max(timestamp) FROM messages WHERE false") is None
    made = await new.newest('parity:newest {"table":"chats"}')
    assert made is not None
    assert abs(made - datetime.now(made.tzinfo)) < timedelta(minutes=10)


@pytest.mark.parametrize(
    "question",
    [
        "DELETE FROM chats RETURNING 1",
        "SELECT 1; SELECT 2",
        "SELECT count(*) FROM nowhere",
        "SELECT 1, 2",
        "SELECT n FROM generate_series(1, 3) n",
        "SELECT 'many'",
        "SELECT NULL::int",
    ],
)
async def test_what_is_no_count_is_refused_and_writes_nothing(
    legacy: Cluster, stores: Stores, question: str
) -> None:
    with pytest.raises(AdapterError):
        await stores[0].count(question)
    with psycopg.connect(legacy.dsn()) as connection:
        assert connection.execute("SELECT count(*) FROM chats").fetchone() == (40,)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("parity:count [1]", RefusedByService),
        ('parity:rows {"table":"chats"}', AdapterError),
        ("nobody:knows", AdapterError),
        ("health:check", BrokenAnswer),
    ],
)
async def test_what_is_no_count_of_convex_test_is_refused(
    stores: Stores, expression: str, kind: type[AdapterError]
) -> None:
    with pytest.raises(kind):
        await stores[1].count(expression)


async def test_another_deployment_proves_nothing(functions: ConvexTest) -> None:
    web = Web()
    settings = ConvexStoreSettings(url=functions.url, instance="other-1", key=SecretRef(env="X"))
    store = convex.build(settings, web, lambda _: Secret(READ_KEY), 30.0)
    with pytest.raises(RefusedByService, match="wrong deployment"):
        await store.count('chatSync:countOfUser {"userId":"u1"}')
    await web.aclose()


async def test_a_capped_count_is_said_to_be_one(
    stores: Stores, functions: ConvexTest, legacy: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(legacy, functions)
    monkeypatch.setattr(convex, "MOST_PAGES", 2)
    monkeypatch.setattr(convex, "PAGE", 7)
    assert (await stores[1].count(CHATS.new.ask)).exactness is Exactness.CAPPED


async def test_looks_at_the_same_stores_side_by_side_do_not_mix(
    legacy: Cluster, functions: ConvexTest, stores: Stores
) -> None:
    migrate(legacy, functions)
    checks: Sequence[ParitySpec] = (CHATS, MESSAGES, CHAT_ROWS, MESSAGE_ROWS)
    values = await asyncio.gather(*(look(check, *stores) for check in checks))
    assert [value.match for value in values] == [Match.EQUAL] * 4
