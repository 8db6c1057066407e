"""The plans that ship with the cockpit: two that fly, and one in which everything is wrong once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest

from cockpit.core.clean import FULL, Percent
from cockpit.core.model import Side
from cockpit.core.spec import StepKey
from cockpit.core.tables import Written
from cockpit.plan.fields import Document, Judge, Limit, Rollback, WriteCounter
from cockpit.plan.load import load
from cockpit.plan.problems import PlanProblems
from cockpit.plan.shape import choices, fields_of, is_table
from tests.plan.plans import KINDS, SAMPLES, WHOLE

MIGRATIONS = {"lms-flags.toml", "neon-auth.toml", "tutor-bake.toml", "tutor-bluegreen.toml"}
"""Plans of whole migrations: every flag, check and step of one night."""
_PLANTED = re.compile(r"#! (?P<planted>.*)$")


def _planted() -> list[tuple[int, str]]:
    """(line, beginning of the problem) of every mistake that broken.toml announces."""
    lines = (SAMPLES / "broken.toml").read_text(encoding="utf-8").splitlines()
    found = ((number, _PLANTED.search(line)) for number, line in enumerate(lines, start=1))
    return sorted(
        (number, planted)
        for number, match in found
        if match and number > 4
        for planted in match["planted"].split(" | ")
    )


def test_every_planted_mistake_is_named_at_its_line_and_nothing_else() -> None:
    with pytest.raises(PlanProblems) as raised:
        load(SAMPLES / "broken.toml", KINDS)
    said = [(problem.line, f"{problem.key}: {problem.text}") for problem in raised.value.problems]
    planted = _planted()
    assert len(planted) > 100
    missing = [(n, text) for n, text in planted if not any(n == m and s.startswith(text) for m, s in said)]
    assert missing == []
    unplanned = [(m, s) for m, s in said if not any(n == m and s.startswith(text) for n, text in planted)]
    assert unplanned == []
    assert len(said) == len(planted)


def test_the_broken_plan_plants_a_mistake_at_every_key_of_the_plan() -> None:
    """A new key of the plan must be broken once, too."""
    keys = {(table, key) for table in _tables(Document) for key in fields_of(table)}
    broken = {_owner(text.partition(": ")[0]) for _, text in _planted()}
    # Each of these is wrong only together with another key, or would hide the rest if it were wrong.
    together = {
        (Judge, "alpha"),
        (Judge, "warn_alpha"),
        (Limit, "breaches"),
        (Limit, "window"),
        (Rollback, "budget"),
        (WriteCounter, "name"),
    }
    tables_alone = {(table, key) for table, key in keys if _inner_table(fields_of(table)[key])}
    assert keys - broken - together - tables_alone == set()


def _tables(table: type[Written]) -> set[type[Written]]:
    """The table with all tables inside it."""
    inner = (_inner_table(annotation) for annotation in fields_of(table).values())
    return {table}.union(*(_tables(one) for one in inner if one))


def _inner_table(annotation: object) -> type[Written] | None:
    """The table that stands at a place, directly or in a list or by name."""
    for choice in choices(annotation):
        if is_table(choice.base):
            return cast(type[Written], choice.base)
        if choice.is_list or choice.is_mapping:
            return _inner_table(choice.inner[-1])
    return None


def _owner(label: str) -> tuple[type[Written], str]:
    """The table and the key that a label such as `flag[chat_reads].stages[2].percent` means."""
    table: type[Written] = Document
    owner = (table, "")
    by_name = False
    for word in re.sub(r"\[[^\]]*\]", "", label).split("."):
        if by_name or word not in fields_of(table):
            by_name = False
            continue
        owner = (table, word)
        annotation = fields_of(table)[word]
        by_name = any(choice.is_mapping for choice in choices(annotation))
        table = _inner_table(annotation) or table
    return owner


def test_no_message_shows_how_the_plan_is_judged_inside() -> None:
    with pytest.raises(PlanProblems) as raised:
        load(SAMPLES / "broken.toml", KINDS)
    for problem in raised.value.problems:
        assert not re.search(
            r"pydantic|Input should|union|validator|\bNone\b|SecretRef|Settings|<|dict", str(problem)
        )


def test_the_plain_text_secret_is_not_repeated() -> None:
    with pytest.raises(PlanProblems) as raised:
        load(SAMPLES / "broken.toml", KINDS)
    assert "plain.text.secret" not in str(raised.value)
    assert "Bearer plain" not in str(raised.value)


def test_chat_sync_is_what_its_migration_says() -> None:
    plan = load(SAMPLES / "chat-sync.toml", KINDS)
    assert plan.environment == "production"
    assert [flag.key for flag in plan.flags] == ["chat_writes", "chat_reads", "chat_realtime"]
    for flag in plan.flags:
        assert [stage.percent for stage in flag.stages] == [Percent(1000), Percent(2500), FULL]
        assert [stage.cohort for stage in flag.stages] == ["internal", "beta", "all"]
        assert flag.traffic is not None
        assert f'flag="{flag.key}"' in flag.traffic.legacy
        assert f'flag="{flag.key}"' in flag.traffic.new
    assert plan.flag("chat_reads").depends_on == ("chat_writes",)
    assert plan.flag("chat_realtime").depends_on == ("chat_reads",)
    assert [signal.name for signal in plan.signals] == ["errors", "slow", "sync_failures"]
    assert [backend.side for backend in plan.backends] == [Side.LEGACY, Side.NEW]
    assert [probe.kind for probe in plan.backends[1].probes] == ["convex", "http"]
    assert plan.rollback.budget_s == 900
    assert [counter.name for counter in plan.rollback.write_counters] == ["writes"]
    assert plan.announce == ()


def test_chat_sync_asks_only_for_metrics_that_exist() -> None:
    text = (SAMPLES / "chat-sync.toml").read_text(encoding="utf-8")
    names = set(re.findall(r"sum\((\w+)\{", text))
    assert names == {
        "cutover_open_streams",
        "cutover_requests_total",
        "cutover_slow_total",
        "cutover_sync_total",
        "cutover_writes_total",
    }


def test_the_smallest_plan_has_all_steps_and_no_comparison() -> None:
    plan = load(SAMPLES / "minimal.toml", KINDS)
    assert plan.signals == () and plan.monitors == ()
    keys = [step.key for step in plan.rollback.steps]
    assert keys == [key for key in StepKey if key is not StepKey.MANUAL]


def test_monitoring_shows_every_way_to_see_and_to_be_told() -> None:
    plan = load(SAMPLES / "monitoring.toml", KINDS)
    assert sorted(hook.kind for hook in plan.announce) == sorted(KINDS.announcers)
    assert {monitor.kind for monitor in plan.monitors} == {"prometheus", "prom_text", "http_json"}
    assert {"prometheus_alerts", "alertmanager", "sentry"} <= {
        probe.kind for probe in plan.backends[1].probes
    }


def test_levers_shows_splits_and_hosted_services() -> None:
    plan = load(SAMPLES / "levers.toml", KINDS)
    shown = {service.kind for service in plan.flag_services}
    assert shown >= {"haproxy", "nginx", "launchdarkly", "posthog", "vercel_env", "vercel_edge"}


@pytest.mark.parametrize("name", WHOLE)
def test_a_sample_is_short_enough_to_be_read(name: str) -> None:
    longest = 400 if name in MIGRATIONS else 220
    assert len((SAMPLES / name).read_text(encoding="utf-8").splitlines()) <= longest


def test_the_sample_of_probes_asks_every_ordinary_service_once() -> None:
    plan = load(SAMPLES / "probes.toml", KINDS)
    kinds = {probe.kind for backend in plan.backends for probe in backend.probes}
    ordinary = {
        "http",
        "tcp",
        "tls",
        "dns",
        "process",
        "plugin",
        "postgres",
        "redis",
        "websocket",
        "supabase",
    }
    assert kinds == ordinary
    assert "postgres" in {monitor.kind for monitor in plan.monitors}


def test_a_lever_in_the_new_backend_alone_is_known_as_such(tmp_path: Path) -> None:
    text = (SAMPLES / "convex.toml").read_text(encoding="utf-8")
    second = re.compile(r"\[flag\.second\].*?\n\n", re.DOTALL)
    alone = tmp_path / "alone.toml"
    alone.write_text(second.sub("\n", text), encoding="utf-8")
    for path, falls in ((SAMPLES / "convex.toml", False), (alone, True), (SAMPLES / "minimal.toml", False)):
        plan = load(path, KINDS)
        assert [plan.falls_with_new(flag) for flag in plan.flags] == [falls]
