from __future__ import annotations

from typing import Any

import httpx
import pytest

from cockpit.practice.faults import make_fault
from tests.practice.conftest import Lab

KEY = {"Authorization": "Convex prod:happy-otter-123|practice-key"}
HEALTH = {"path": "ops/health:look", "args": {}, "format": "json"}


def posted(lab: Lab, path: str, body: Any, **headers: str) -> httpx.Response:
    return lab.client.post(lab.url("convex", path), json=body, headers=headers)


def test_what_it_says_without_a_key(lab: Lab) -> None:
    assert lab.get("convex", "/").text.startswith("This Convex deployment is running.")
    assert lab.get("convex", "/instance_name").text == "happy-otter-123"
    assert lab.get("convex", "/version").text == lab.get("convex", "/instance_version").text
    stamp = posted(lab, "/api/query_ts", {}).json()
    assert list(stamp) == ["ts"]
    echo = lab.client.post(lab.url("convex", "/echo"), content=b"\x00\x01")
    assert echo.content == b"\x00\x01"


def test_the_health_function_that_the_plan_names_answers(lab: Lab) -> None:
    answer = posted(lab, "/api/query", HEALTH)
    assert answer.status_code == 200
    assert answer.json() == {"status": "success", "value": {"status": "ok", "at": 1772593200000.0}}
    by_get = lab.client.get(lab.url("convex", "/api/query"), params={"path": "ops/health:look", "args": "{}"})
    assert by_get.json()["status"] == "success"
    assert posted(lab, "/api/run/ops/health/look", {"args": {}}).json()["status"] == "success"
    assert posted(lab, "/api/query", {"path": "health:ping", "args": {}}).json()["status"] == "success"


def test_a_function_that_throws_is_a_200_without_the_reason(lab: Lab) -> None:
    missing = posted(lab, "/api/query", {"path": "chats:nope", "args": {}})
    assert missing.status_code == 200
    assert missing.json() == {
        "status": "error",
        "errorMessage": "[Request ID: 0000000000000001] Server Error",
    }
    lab.practice.world.inject(make_fault("error_burst", {"rate": 1.0}))
    thrown = posted(lab, "/api/query", HEALTH).json()
    assert thrown["errorMessage"] == "[Request ID: 0000000000000002] Server Error"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/query", {"path": "", "args": {}}, 400, "BadConvexFunctionIdentifier"),
        ("/api/query", {"path": 7}, 400, "BadConvexFunctionIdentifier"),
        ("/api/query", {"path": "a:b:c"}, 400, "BadConvexFunctionIdentifier"),
        ("/api/query", HEALTH | {"format": "yaml"}, 400, "BadFormat"),
        ("/api/run/health", {"args": {}}, 400, "MissingIdentifier"),
    ],
)
def test_requests_that_are_wrong(lab: Lab, path: str, body: Any, status: int, code: str) -> None:
    answer = posted(lab, path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


def test_bodies_that_cannot_be_read(lab: Lab) -> None:
    url = lab.url("convex", "/api/query")
    assert lab.client.post(url, content=b"{").status_code == 400
    assert lab.client.post(url, content=b"[]").status_code == 422
    assert lab.client.post(lab.url("convex", "/api/run/a/b"), content=b"{").status_code == 400
    assert lab.client.get(url, params={"path": "health:ping", "args": "{"}).status_code == 400


def test_keys(lab: Lab) -> None:
    check = lab.get("convex", "/api/check_admin_key", **KEY)
    assert check.json() == {"success": True, "allowedOps": [], "isReadOnly": False}
    viewer = lab.get("convex", "/api/check_admin_key", Authorization="Convex prod:x|viewer-key").json()
    assert viewer["isReadOnly"] is True
    bad = lab.get("convex", "/api/check_admin_key", Authorization="Convex prod:x|stolen")
    assert bad.status_code == 403
    assert bad.json() == {
        "code": "BadDeployKey",
        "message": "The provided deploy key was invalid for deployment 'happy-otter-123'. Double check that "
        "the environment this key was generated for matches the desired deployment.",
    }
    assert posted(lab, "/api/query", HEALTH, Authorization="Bearer x.y.z").json()["code"] == "NoAuthProvider"
    assert lab.get("convex", "/api/v1/deployment_info").status_code == 401
    assert lab.get("convex", "/api/v1/deployment_info", **KEY).json() == {"kind": "selfHosted"}


def state(lab: Lab, **headers: str) -> Any:
    asked = {"path": "_system/frontend/backendState", "args": {}}
    return posted(lab, "/api/query", asked, **headers).json()


def test_a_paused_deployment(lab: Lab) -> None:
    assert state(lab, **KEY)["value"] == {"system": "none", "usage_limit": "none", "user": "none"}
    assert posted(lab, "/api/v1/pause_deployment", None, Authorization="Convex x|bad").status_code == 403
    assert posted(lab, "/api/v1/pause_deployment", None, **KEY).status_code == 200
    assert posted(lab, "/api/v1/pause_deployment", None, **KEY).json()["code"] == "PauseDeploymentFailed"
    paused = posted(lab, "/api/query", HEALTH).json()
    assert paused["status"] == "error"
    assert paused["errorMessage"].startswith("Cannot run functions while this deployment is paused.")
    assert state(lab, **KEY)["value"]["user"] == "paused"
    assert posted(lab, "/api/v1/unpause_deployment", None, **KEY).status_code == 200
    assert posted(lab, "/api/v1/unpause_deployment", None, **KEY).json()["code"] == "UnpauseDeploymentFailed"
    assert posted(lab, "/api/query", HEALTH).json()["status"] == "success"


def test_system_queries_need_a_key(lab: Lab) -> None:
    assert state(lab)["status"] == "error"
    lab.practice.world.set_exposure("chat_writes", 100)
    lab.clock.move(30)
    size = {"path": "_system/frontend/tableSize", "args": {"tableName": "chats", "componentId": None}}
    count = posted(lab, "/api/query", size, **KEY).json()["value"]
    assert count == lab.count('sum(cutover_writes_total{backend="new"})') > 0
    unknown = {"path": "_system/frontend/whatever", "args": {}}
    assert posted(lab, "/api/query", unknown, **KEY).json()["status"] == "error"


def test_the_wrong_deployment(lab: Lab) -> None:
    lab.practice.world.inject(make_fault("wrong_instance"))
    assert lab.get("convex", "/instance_name").text == "somebody-elses-deployment"


def test_too_many_requests_come_without_a_time_to_wait(lab: Lab) -> None:
    lab.practice.world.inject(make_fault("rate_limit", {"service": "convex"}))
    answer = posted(lab, "/api/query", HEALTH)
    assert (answer.status_code, answer.json()["code"]) == (429, "TooManyConcurrentRequests")
    assert "retry-after" not in answer.headers
