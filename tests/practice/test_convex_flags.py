"""The practice world's flag functions keep the promises of sample_configs/convex, and have its faults."""

from __future__ import annotations

from typing import Any

import pytest

from cockpit.practice.faults import make_fault
from tests.practice.conftest import Lab

ADMIN = {"Authorization": "Convex prod:happy-otter-123|practice-key"}
VIEWER = {"Authorization": "Convex prod:happy-otter-123|viewer-key"}


def call(lab: Lab, kind: str, name: str, args: Any, headers: dict[str, str] = ADMIN) -> Any:
    body = {"path": f"cutoverFlags:{name}", "args": args, "format": "json"}
    return lab.client.post(lab.url("convex", f"/api/{kind}"), json=body, headers=headers)


def row(lab: Lab) -> dict[str, Any]:
    (found,) = call(lab, "query", "list", {"keys": ["chat_reads"]}).json()["value"]
    assert isinstance(found, dict)
    return found


def change(lab: Lab, **changed: Any) -> Any:
    args = {"key": "chat_reads", "percent": 25, "enabled": True, "expectedVersion": row(lab)["version"]}
    return call(lab, "mutation", "set", {**args, "updatedBy": "kim", **changed})


def test_a_change_is_guarded_and_audited(lab: Lab) -> None:
    before = row(lab)
    assert change(lab).json() == {"status": "success", "value": None}
    after = row(lab)
    assert (after["enabled"], after["percent"], after["updatedBy"]) == (True, 25, "kim")
    assert lab.practice.world.configured_pct("chat_reads") == 25
    stale = change(lab, percent=50, expectedVersion=before["version"]).json()
    assert stale["errorData"] == {"code": "VERSION_CONFLICT", "version": after["version"]}
    assert stale["errorMessage"].endswith("Server Error")
    assert row(lab) == after


def test_a_kill_makes_the_version_grow_whatever_it_was(lab: Lab) -> None:
    change(lab)
    versions = [row(lab)["version"]]
    for _ in range(2):
        call(lab, "mutation", "kill", {"key": "chat_reads", "updatedBy": "kim"})
        found = row(lab)
        assert (found["enabled"], found["percent"]) == (False, 0)
        versions.append(found["version"])
    assert versions == sorted(set(versions))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"percent": 101}, "BAD_PERCENT"),
        ({"key": "nobody"}, "NO_SUCH_FLAG"),
        ({"percent": "25"}, None),
        ({"enabled": 1}, None),
        ({"expectedVersion": True}, None),
        ({"updatedBy": None}, None),
    ],
)
def test_what_is_wrong_is_thrown_and_changes_nothing(
    lab: Lab, wrong: dict[str, Any], code: str | None
) -> None:
    before = row(lab)
    answer = change(lab, **wrong).json()
    assert answer["status"] == "error"
    assert answer.get("errorData", {}).get("code") == code
    assert row(lab) == before


def test_without_the_right_key_there_are_no_functions(lab: Lab) -> None:
    listed = call(lab, "query", "list", {"keys": []}, {}).json()
    assert listed["status"] == "error"
    assert call(lab, "query", "list", {"keys": []}, VIEWER).json()["status"] == "success"
    killed = call(lab, "mutation", "kill", {"key": "chat_reads", "updatedBy": "x"}, VIEWER)
    assert (killed.status_code, killed.json()["code"]) == (403, "OperationNotPermitted")
    assert call(lab, "mutation", "list", {"keys": []}).json()["status"] == "error"


@pytest.mark.parametrize(
    ("fault", "params", "status"),
    [
        ("flag_service_down", {}, 503),
        ("flag_service_refuses_writes", {"kind": "403"}, 403),
        ("flag_service_refuses_writes", {"kind": "503"}, 503),
        ("rate_limit", {"service": "convex"}, 429),
    ],
)
def test_faults_of_flag_services_strike_it_too(
    lab: Lab, fault: str, params: dict[str, Any], status: int
) -> None:
    before = row(lab)
    lab.practice.world.inject(make_fault(fault, params))
    answer = call(lab, "mutation", "kill", {"key": "chat_reads", "updatedBy": "kim"})
    assert answer.status_code == status
    lab.practice.world.clear()
    assert row(lab) == before


def test_a_lying_service_says_yes_and_does_nothing(lab: Lab) -> None:
    before = row(lab)
    lab.practice.world.inject(make_fault("flag_service_lies"))
    assert change(lab).json()["status"] == "success"
    assert row(lab) == before


def test_a_paused_deployment_runs_no_flag_function(lab: Lab) -> None:
    lab.practice.world.inject(make_fault("convex_paused"))
    answer = call(lab, "query", "list", {"keys": []}).json()
    assert "paused" in answer["errorMessage"]


def test_a_foreign_change_is_told_by_its_author_and_version(lab: Lab) -> None:
    before = row(lab)
    lab.practice.world.set_exposure("chat_reads", 40, who="release-bot")
    after = row(lab)
    assert (after["percent"], after["updatedBy"]) == (40, "release-bot")
    assert after["version"] > before["version"]
