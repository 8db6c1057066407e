"""Snapshots that travel: every snapshot comes back equal, and what is no snapshot is told in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from cockpit.core.snapshot import Snapshot
from cockpit.engine.published import SnapshotTrouble, decode, encode
from cockpit.engine.snapshot_json import as_json
from tests.engine.any_value import any_of
from tests.face import pictures, pictures_seat

SITUATIONS = [pytest.param(make(), id=make.__name__) for make in pictures.EVERY]


@pytest.mark.parametrize("snapshot", SITUATIONS)
def test_every_situation_comes_back_equal(snapshot: Snapshot) -> None:
    assert decode(encode(snapshot)) == snapshot


@given(snapshot=any_of(Snapshot))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_snapshot_comes_back_equal(snapshot: Snapshot) -> None:
    again = decode(encode(snapshot))
    assert again == snapshot
    assert hash(again) == hash(snapshot)
    assert encode(again) == encode(snapshot)


@pytest.mark.parametrize("snapshot", SITUATIONS)
def test_plain_json_is_strict_and_the_same_again(snapshot: Snapshot) -> None:
    plain = as_json(snapshot)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@given(snapshot=any_of(Snapshot))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_plain_json_of_any_snapshot_is_strict(snapshot: Snapshot) -> None:
    plain = as_json(snapshot)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_the_names_that_scripts_read() -> None:
    plain = as_json(pictures.rolling_back())
    assert list(plain) == [
        "format",
        "seq",
        "engine_at",
        "started_at",
        "mode",
        "read_only",
        "operator",
        "host",
        "plan",
        "driver",
        "waits_for_approval",
        "level",
        "reasons",
        "first_breach_at",
        "flags",
        "backends",
        "signals",
        "parity",
        "checklist",
        "way_back",
        "drain_gauges",
        "proposal",
        "rollback",
        "last_closed_rollback",
        "rollbacks_closed",
        "journal",
        "cockpit_host",
    ]
    rollback, flags = plain["rollback"], plain["flags"]
    assert isinstance(rollback, dict) and isinstance(flags, list)
    assert rollback["open"] is True
    assert rollback["declared_at"].endswith("+00:00")
    assert {type(flag["configured_pct"]) for flag in flags} <= {float, type(None)}


def test_unknown_is_null_and_never_a_number() -> None:
    plain = as_json(pictures.unknown_all())
    flags, backends = plain["flags"], plain["backends"]
    assert isinstance(flags, list) and isinstance(backends, list)
    assert {flag["observed_pct"] for flag in flags} == {None}
    assert {probe["health"] for backend in backends for probe in backend["probes"]} <= {None, "unknown"}


def trouble(published: bytes) -> SnapshotTrouble:
    with pytest.raises(SnapshotTrouble) as caught:
        decode(published)
    return caught.value


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"\xff\xfe", b'{"format":"1"}', b"null", b"{}"])
def test_bytes_that_are_no_snapshot_are_told(broken: bytes) -> None:
    assert trouble(broken).title == "The published snapshot is damaged"


def test_half_a_snapshot_is_told() -> None:
    whole = encode(pictures.calm())
    assert trouble(whole[: len(whole) // 2]).title == "The published snapshot is damaged"


def test_another_format_is_told_by_its_number() -> None:
    newer = trouble(b'{"format":2,"snapshot":{"anything":1}}')
    assert "another version" in newer.title
    assert "format 2" in newer.detail


def test_a_missing_or_wrong_field_is_named() -> None:
    content = json.loads(encode(pictures.calm()))
    del content["snapshot"]["level"]
    assert "snapshot.level" in trouble(json.dumps(content).encode()).detail
    content["snapshot"]["level"] = "\x1b[31m"
    failure = trouble(json.dumps(content).encode())
    assert "\x1b" not in str(failure)


def test_a_field_that_a_newer_driver_added_is_passed_over() -> None:
    content = json.loads(encode(pictures.calm()))
    content["snapshot"]["moon_phase"] = "full"
    content["snapshot"]["flags"][0]["mood"] = 1
    assert decode(json.dumps(content).encode()) == pictures.calm()


def test_a_percentage_out_of_range_is_refused() -> None:
    content = json.loads(encode(pictures.calm()))
    content["snapshot"]["flags"][0]["stages"][0]["percent"]["hundredths"] = 20_000
    assert "between 0 and 100" in trouble(json.dumps(content).encode()).detail


def test_evidence_beyond_all_numbers_travels_but_is_null_for_scripts() -> None:
    calm = pictures.calm()
    signal = replace(calm.signals[0], evidence=replace(calm.signals[0].evidence, e_regressed=float("inf")))
    snapshot = replace(calm, signals=(signal,), budget_s=float("inf"))
    assert decode(encode(snapshot)) == snapshot
    plan = as_json(snapshot)["plan"]
    assert isinstance(plan, dict)
    assert plan["rollback_budget_s"] is None


def test_scripts_read_who_drives_and_what_waits_for_a_second_person() -> None:
    plain = as_json(pictures_seat.asked())
    driver, waits = plain["driver"], plain["waits_for_approval"]
    assert isinstance(driver, dict) and isinstance(waits, dict)
    assert (driver["operator"], driver["host"], driver["lives"], driver["how"]) == (
        "ana",
        "ops-1",
        True,
        "gone",
    )
    assert (waits["flag"], waits["percent_pct"], waits["needed"]) == ("convex_resources", 25.0, 2)
    assert waits["approved_by"] == ["ana@ops-1"]
    silent = as_json(pictures_seat.silent_driver())["driver"]
    assert isinstance(silent, dict) and silent["lives"] is False


@pytest.mark.parametrize("builder", pictures_seat.EVERY)
def test_the_seat_survives_the_way_to_an_observer(builder: Callable[[], Snapshot]) -> None:
    snapshot = builder()
    assert decode(encode(snapshot)) == snapshot


def altered(change: Callable[[dict[str, Any]], object]) -> SnapshotTrouble:
    """What is said of a picture in which one thing is not as it should be."""
    envelope = json.loads(encode(pictures.rolling_back()))
    change(envelope["snapshot"])
    return trouble(json.dumps(envelope).encode())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda picture: picture.pop("flags"), "snapshot.flags: is missing"),
        (lambda picture: picture.update(seq="812"), "snapshot.seq: not a whole number"),
        (lambda picture: picture.update(seq=True), "snapshot.seq: not a whole number"),
        (lambda picture: picture.update(read_only=0), "snapshot.read_only: not true or false"),
        (lambda picture: picture.update(budget_s="900"), "snapshot.budget_s: not a number"),
        (lambda picture: picture.update(budget_s=10**400), "snapshot.budget_s: a number too large"),
        (lambda picture: picture.update(operator=None), "snapshot.operator: not text"),
        (lambda picture: picture.update(operator="\ud800"), "snapshot.operator: half a character"),
        (lambda picture: picture.update(mode="asleep"), "snapshot.mode: none of live, demo, drill, watch"),
        (lambda picture: picture.update(mode=["live"]), "snapshot.mode: none of live, demo, drill, watch"),
        (
            lambda picture: picture.update(engine_at="2026-03-14T03:12:06"),
            "snapshot.engine_at: a time without",
        ),
        (lambda picture: picture.update(engine_at=1.0), "snapshot.engine_at: not a time"),
        (lambda picture: picture.update(engine_at="9999-12-31T23:59:59-12:00"), "snapshot.engine_at: "),
        (lambda picture: picture.update(reasons={}), "snapshot.reasons: not a list"),
        (lambda picture: picture.update(rollback=[]), "snapshot.rollback: not an object"),
        (
            lambda picture: picture["flags"][1].update(asked={"hundredths": 10_001}),
            "snapshot.flags.1.asked: a",
        ),
        (lambda picture: picture["flags"][1].update(key=7), "snapshot.flags.1.key: not text"),
        (
            lambda picture: picture["backends"][0]["probes"][0]["reading"]["value"].update(facts=[["a"]]),
            "snapshot.backends.0.probes.0.reading.value.facts.0: not a list of 2",
        ),
    ],
)
def test_what_is_of_another_kind_is_told_with_its_place(
    change: Callable[[dict[str, Any]], object], words: str
) -> None:
    told = altered(change)
    assert told.title == "The published snapshot cannot be shown"
    assert told.detail.startswith(words)


@pytest.mark.parametrize(
    "hostile",
    [
        b'{"format":1,"snapshot":' + b"[" * 100_000,
        b'{"format":1,"snapshot":{"seq":' + b"9" * 5_000 + b"}}",
        b'{"format":1,"snapshot":{"operator":"\xff"}}',
        b'{"format":true,"snapshot":{}}',
    ],
)
def test_bytes_that_mean_harm_are_only_damaged(hostile: bytes) -> None:
    assert trouble(hostile).title == "The published snapshot is damaged"


def test_what_a_newer_driver_added_is_passed_over_and_what_an_older_one_lacks_has_its_default() -> None:
    envelope = json.loads(encode(pictures.rolling_back()))
    envelope["snapshot"].update(moon_phase={"full": True})
    envelope["snapshot"]["flags"][0].update(moon_phase=1)
    assert decode(json.dumps(envelope).encode()) == pictures.rolling_back()
    del envelope["snapshot"]["gauges"]
    assert decode(json.dumps(envelope).encode()) == replace(pictures.rolling_back(), gauges=())


def test_a_whole_number_stands_for_a_float() -> None:
    envelope = json.loads(encode(pictures.calm()))
    envelope["snapshot"]["budget_s"] = 900
    read = decode(json.dumps(envelope).encode())
    assert type(read.budget_s) is float and read == pictures.calm()
