"""`cockpit check` on a plan with parity: one look of each check at two real databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.e2e.conftest import Stage, staged
from tests.real.postgres_server import Cluster, cluster
from tests.real.servers import free_port

pytestmark = pytest.mark.real

STORES = """
[store.old]
kind = "postgres"
dsn = { env = "OLD_DSN" }

[store.fresh]
kind = "postgres"
dsn = { env = "NEW_DSN" }
"""
CHECK = """
[[parity]]
name = "%s"
title = "Chats"
legacy = { store = "old", count = "SELECT count(*) FROM chats" }
new = { store = "fresh", count = "SELECT count(*) FROM %s" }
"""


@pytest.fixture(scope="module")
def database() -> Iterator[Cluster]:
    with cluster() as made, made.running():
        with psycopg.connect(made.dsn(), autocommit=True) as connection:
            connection.execute("CREATE TABLE chats AS SELECT generate_series(1, 40) AS id")
            connection.execute("CREATE TABLE fewer AS SELECT generate_series(1, 38) AS id")
        yield made


@pytest.fixture
def compared(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as stage:
        calm = stage.unhurried()
        checks = "".join(CHECK % pair for pair in (("chats", "chats"), ("lost", "fewer"), ("typo", "chatz")))
        calm.plan_path.write_text(calm.plan_path.read_text() + STORES + checks)
        yield calm


def line(printed: str, subject: str) -> str:
    found = re.findall(rf"(?m)^.*\b{subject}  .*$", printed)
    assert len(found) == 1, printed
    return str(found[0])


def test_every_check_is_looked_at_once(compared: Stage, database: Cluster) -> None:
    told = compared.run("check", OLD_DSN=database.dsn(), NEW_DSN=database.dsn())
    assert told.returncode == 3
    equal, lost, typo = (line(told.stdout, f"parity {name}") for name in ("chats", "lost", "typo"))
    assert equal.startswith("ok  ") and "equal: 40 rows on both sides" in equal
    assert lost.startswith("ok  ") and "different: new has 2 rows fewer than legacy's 40" in lost
    assert typo.startswith("?   ") and "chatz" in typo
    assert all(line(told.stdout, f"store {name}").startswith("ok  ") for name in ("old", "fresh"))
    assert "FAIL" not in told.stdout


def test_a_store_that_cannot_be_reached_is_a_line_of_its_own(compared: Stage, database: Cluster) -> None:
    nowhere = f"postgresql://postgres:secret-word@127.0.0.1:{free_port()}/postgres"
    told = compared.run("check", OLD_DSN=database.dsn(), NEW_DSN=nowhere)
    assert told.returncode == 3
    assert line(told.stdout, "store old").startswith("ok  ")
    assert line(told.stdout, "store fresh").startswith("?   ")
    assert line(told.stdout, "parity chats").startswith("?   ")
    assert "secret-word" not in told.stdout + told.stderr
