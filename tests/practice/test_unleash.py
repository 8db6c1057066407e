"""The double against answers recorded from Unleash OSS 8.2.0; the shapes stand here as literals."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.practice.conftest import ADMIN, Lab

FLAG = "/projects/default/features/chat_reads"
ENV = f"{FLAG}/environments/production"

DETAILS = "Refer to the `details` list for more information."


def strategy_id(lab: Lab) -> str:
    return str(lab.admin("GET", f"{ENV}/strategies").json()[0]["id"])


def rollout(lab: Lab) -> str:
    return str(lab.admin("GET", ENV).json()["strategies"][0]["parameters"]["rollout"])


def patch(lab: Lab, *operations: Any) -> httpx.Response:
    return lab.admin("PATCH", f"{ENV}/strategies/{strategy_id(lab)}", list(operations))


def replaced(value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": "/parameters/rollout", "value": value}


def guard(value: Any) -> dict[str, Any]:
    return {"op": "test", "path": "/parameters/rollout", "value": value}


def events(lab: Lab, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lab.admin("GET", f"/search/events?feature=IS:chat_reads{query}").json()[
        "events"
    ]
    return found


def test_reading_one_environment(lab: Lab) -> None:
    answer = lab.admin("GET", ENV)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {
        "name": "chat_reads",
        "environment": "production",
        "enabled": True,
        "strategies": [
            {
                "id": strategy_id(lab),
                "featureName": "chat_reads",
                "title": None,
                "parameters": {"groupId": "chat_reads", "rollout": "0", "stickiness": "userId"},
                "constraints": [],
                "variants": [],
                "sortOrder": 0,
                "disabled": False,
                "name": "flexibleRollout",
            }
        ],
    }


def test_reading_a_whole_feature(lab: Lab) -> None:
    body = lab.admin("GET", FLAG).json()
    assert list(body) == [
        "environments",
        "name",
        "impressionData",
        "description",
        "project",
        "stale",
        "createdAt",
        "createdBy",
        "type",
        "archived",
        "dependencies",
        "children",
        "links",
        "collaborators",
    ]
    assert [each["name"] for each in body["environments"]] == ["development", "production"]
    assert list(body["environments"][1]) == [
        "name",
        "lastSeenAt",
        "enabled",
        "yes",
        "no",
        "type",
        "sortOrder",
        "strategies",
    ]
    assert body["createdBy"]["id"] == -42
    assert body["createdAt"] == "2026-03-04T03:00:00.000Z"


def test_listing_features_and_a_project_that_does_not_exist(lab: Lab) -> None:
    body = lab.admin("GET", "/projects/default/features").json()
    assert body["version"] == 2
    assert [each["name"] for each in body["features"]] == ["chat_writes", "chat_reads"]
    assert body["features"][0]["environments"][1] == {
        "name": "production",
        "enabled": True,
        "type": "production",
        "sortOrder": 3,
        "variantCount": 0,
        "lastSeenAt": None,
        "hasStrategies": True,
        "hasEnabledStrategies": True,
    }
    missing = lab.admin("GET", "/projects/nope/features")
    assert (missing.status_code, missing.json()) == (200, {"version": 2, "features": []})


def test_listing_and_reading_strategies(lab: Lab) -> None:
    (listed,) = lab.admin("GET", f"{ENV}/strategies").json()
    assert listed["milestoneId"] is None
    one = lab.admin("GET", f"{ENV}/strategies/{listed['id']}").json()
    assert list(one) == [
        "id",
        "name",
        "constraints",
        "parameters",
        "variants",
        "segments",
        "title",
        "disabled",
        "sortOrder",
    ]
    assert listed == one | {"milestoneId": None}


def test_changing_the_percentage_by_patch(lab: Lab) -> None:
    answer = patch(lab, replaced("25"))
    assert answer.status_code == 200
    assert answer.json()["parameters"] == {"groupId": "chat_reads", "rollout": "25", "stickiness": "userId"}
    assert rollout(lab) == "25"


def test_a_number_is_refused_by_patch_and_taken_by_put(lab: Lab) -> None:
    answer = patch(lab, replaced(30))
    assert answer.status_code == 400
    assert answer.json() == {
        "name": "BadDataError",
        "message": f"Request validation failed: your request body or params contain invalid data. {DETAILS}",
        "details": [
            {
                "message": "The `/parameters/rollout` property must be string. You sent 30.",
                "path": "/parameters/rollout",
            }
        ],
    }
    assert rollout(lab) == "0"
    body = {"name": "flexibleRollout", "parameters": {"rollout": 55}}
    assert (
        lab.admin("PUT", f"{ENV}/strategies/{strategy_id(lab)}", body).json()["parameters"]["rollout"] == "55"
    )


def test_a_failed_test_operation_is_a_500_that_changes_nothing(lab: Lab) -> None:
    answer = patch(lab, guard("99"), replaced("40"))
    assert answer.status_code == 500
    body = answer.json()
    assert body["name"] == "UnknownError"
    assert body["message"].startswith(
        'Test operation failed\nname: TEST_OPERATION_FAILED\nindex: 0\noperation: {\n  "op": "test",\n'
    )
    assert body["details"] == [{"message": body["message"]}]
    assert rollout(lab) == "0"
    assert patch(lab, guard("0"), replaced("40")).status_code == 200
    assert rollout(lab) == "40"


def test_a_patch_is_all_or_nothing(lab: Lab) -> None:
    assert patch(lab, replaced("40"), guard("0")).status_code == 500
    assert rollout(lab) == "0"


def test_odd_patches(lab: Lab) -> None:
    wrong_path = patch(lab, {"op": "replace", "path": "/nope/rollout", "value": "40"})
    assert wrong_path.status_code == 500
    assert wrong_path.json()["message"] == "Cannot read properties of undefined (reading 'rollout')"
    no_list = lab.admin("PATCH", f"{ENV}/strategies/{strategy_id(lab)}", {"parameters": {"rollout": "5"}})
    assert no_list.status_code == 400
    assert no_list.json()["details"] == [
        {
            "message": 'The `/body` property must be array. You sent {"parameters": {"rollout": "5"}}.',
            "path": "/body",
        }
    ]
    assert "id" in no_list.json()
    assert patch(lab, {"op": "steal", "path": "/title"}).status_code == 400
    assert patch(lab, "nonsense").status_code == 400
    assert patch(lab, {"op": "remove", "path": "/parameters"}).status_code == 400
    assert patch(lab, {"op": "add", "path": "/title", "value": "t"}).json()["title"] == "t"


@pytest.mark.parametrize(
    ("stored", "served"),
    [("101", 100.0), ("-1", 0.0), ("abc", 0.0), ("", 0.0), ("200%", 0.0), ("12.5", 12.0), ("7", 7.0)],
)
def test_percentages_are_not_validated(lab: Lab, stored: str, served: float) -> None:
    assert patch(lab, replaced(stored)).status_code == 200
    assert rollout(lab) == stored
    lab.clock.move(5)
    assert lab.practice.world.served_pct("chat_reads") == pytest.approx(served)


def test_put_drops_what_is_left_out(lab: Lab) -> None:
    constraint = {"contextName": "region", "operator": "IN", "values": ["eu"]}
    whole = {
        "name": "flexibleRollout",
        "title": "t",
        "parameters": {"rollout": "20", "stickiness": "userId", "groupId": "chat_reads"},
        "constraints": [constraint],
    }
    path = f"{ENV}/strategies/{strategy_id(lab)}"
    assert lab.admin("PUT", path, whole).json()["constraints"] == [constraint]
    partial = lab.admin("PUT", path, {"name": "flexibleRollout", "parameters": {"rollout": "5"}}).json()
    assert (partial["title"], partial["constraints"]) == ("t", [])
    assert partial["parameters"] == {"groupId": "chat_reads", "rollout": "5", "stickiness": "default"}
    careless = lab.admin("PUT", path, {"name": "flexibleRollout"}).json()
    assert careless["parameters"]["rollout"] == "100"


def test_a_constraint_that_the_crowd_does_not_meet_serves_nobody(lab: Lab) -> None:
    constraint = {"contextName": "region", "operator": "IN", "values": ["eu"]}
    patch(lab, replaced("50"), {"op": "replace", "path": "/constraints", "value": [constraint]})
    assert lab.practice.world.configured_pct("chat_reads") == 0


def test_strategies_are_ored(lab: Lab) -> None:
    everybody = {"name": "flexibleRollout", "parameters": {"rollout": "100", "groupId": "other"}}
    added = lab.admin("POST", f"{ENV}/strategies", everybody)
    assert added.status_code == 200
    assert added.json()["sortOrder"] == 1
    assert lab.practice.world.configured_pct("chat_reads") == 100
    assert lab.admin("DELETE", f"{ENV}/strategies/{added.json()['id']}").status_code == 200
    assert lab.practice.world.configured_pct("chat_reads") == 0


def test_the_kill_switch_is_idempotent_and_silent(lab: Lab) -> None:
    patch(lab, replaced("55"))
    before = len(events(lab))
    first = lab.admin("POST", f"{ENV}/off")
    assert (first.status_code, first.text) == (200, "")
    assert len(events(lab)) == before + 1
    again = lab.admin("POST", f"{ENV}/off")
    assert (again.status_code, again.text) == (200, "")
    assert len(events(lab)) == before + 1
    body = lab.admin("GET", ENV).json()
    assert (body["enabled"], body["strategies"][0]["parameters"]["rollout"]) == (False, "55")
    assert lab.practice.world.configured_pct("chat_reads") == 0


def test_on_without_a_strategy_serves_everybody(lab: Lab) -> None:
    created = lab.admin("POST", "/projects/default/features", {"name": "fresh", "type": "kill-switch"})
    assert created.status_code == 201
    assert created.json() == {
        "name": "fresh",
        "description": None,
        "type": "kill-switch",
        "project": "default",
        "stale": False,
        "createdAt": "2026-03-04T03:00:00.000Z",
        "impressionData": False,
        "archived": False,
    }
    env = "/projects/default/features/fresh/environments/production"
    assert lab.admin("POST", f"{env}/on").status_code == 200
    (added,) = lab.admin("GET", f"{env}/strategies").json()
    assert added["parameters"] == {"groupId": "fresh", "rollout": "100", "stickiness": "default"}


def test_disabling_the_last_strategy_switches_the_environment_off(lab: Lab) -> None:
    patch(lab, {"op": "replace", "path": "/disabled", "value": True})
    assert lab.admin("GET", ENV).json()["enabled"] is False
    assert [event["type"] for event in events(lab, "&limit=2")] == [
        "feature-environment-disabled",
        "feature-strategy-update",
    ]


def test_bulk_is_all_or_nothing(lab: Lab) -> None:
    bulk = "/projects/default/bulk_features/environments/production"
    refused = lab.admin("POST", f"{bulk}/off", {"features": ["chat_reads", "nope"]})
    assert refused.status_code == 404
    assert refused.json()["message"] == 'There\'s no feature named "nope" in project "default".'
    assert lab.admin("GET", ENV).json()["enabled"] is True
    done = lab.admin("POST", f"{bulk}/off", {"features": ["chat_reads", "chat_writes"]})
    assert (done.status_code, done.text) == (200, "")
    assert lab.admin("GET", ENV).json()["enabled"] is False
    assert lab.admin("POST", f"{bulk}/sideways", {"features": []}).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/projects/default/features/nope", 'There\'s no feature named "nope" in project "default".'),
        (
            "POST",
            "/projects/default/features/nope/environments/production/off",
            'There\'s no feature named "nope" in project "default".',
        ),
        (
            "POST",
            "/projects/default/features/chat_reads/environments/nope/off",
            "Could not find environment nope for feature: chat_reads",
        ),
        ("GET", f"{ENV}/strategies/0-0", "Could not find strategy with id=0-0"),
        (
            "GET",
            "/projects/other/features/chat_reads",
            'There\'s no feature named "chat_reads" in project "other".',
        ),
    ],
)
def test_what_is_not_there(lab: Lab, method: str, path: str, message: str) -> None:
    answer = lab.admin(method, path)
    assert answer.status_code == 404
    assert answer.json() == {"name": "NotFoundError", "message": message, "details": [{"message": message}]}


def test_names_are_judged(lab: Lab) -> None:
    taken = lab.admin("POST", "/projects/default/features", {"name": "chat_reads"})
    assert (taken.status_code, taken.json()["name"]) == (409, "NameExistsError")
    odd = lab.admin("POST", "/projects/default/features", {"name": "bad name/with slash"})
    assert odd.status_code == 400
    assert odd.json()["details"] == [
        {"message": '"name" must be URL friendly. You provided "bad name/with slash".'}
    ]


def test_who_may_ask(lab: Lab) -> None:
    wrong = lab.get("unleash", f"/api/admin{FLAG}", Authorization="*:*.wrong")
    assert (wrong.status_code, wrong.json()["name"]) == (401, "UnauthorizedError")
    assert wrong.json()["message"] == "You must log in to use Unleash."
    nobody = lab.get("unleash", f"/api/admin{FLAG}")
    assert (nobody.status_code, nobody.json()["name"]) == (401, "AuthenticationRequired")
    assert nobody.json()["path"] == "/auth/simple/login"
    backend = lab.get("unleash", f"/api/admin{FLAG}", Authorization="client-1")
    assert backend.status_code == 403
    assert backend.json() == {"message": "invalid token: expected a different token type for this endpoint"}


def test_a_viewer_reads_and_may_not_write(lab: Lab) -> None:
    viewer = {"Authorization": "viewer-1"}
    url = lab.url("unleash", f"/api/admin{ENV}")
    assert lab.client.get(url, headers=viewer).status_code == 200
    refused = lab.client.post(f"{url}/off", headers=viewer)
    assert refused.status_code == 403
    assert refused.json()["name"] == "PermissionError"
    assert refused.json()["permissions"] == ["UPDATE_FEATURE_ENVIRONMENT"]
    me = lab.client.get(lab.url("unleash", "/api/admin/user"), headers=viewer).json()
    assert me["permissions"] == []
    assert lab.admin("GET", "/user").json()["permissions"] == [{"permission": "ADMIN"}]


def test_content_types(lab: Lab) -> None:
    url = lab.url("unleash", f"/api/admin{ENV}/strategies/{strategy_id(lab)}")
    bare = lab.client.put(url, headers=ADMIN)
    assert (bare.status_code, bare.json()["name"]) == (415, "ContentTypeError")
    assert "(you didn't provide one)" in bare.json()["message"]
    other = lab.client.patch(
        url, headers=ADMIN | {"content-type": "application/json-patch+json"}, content="[]"
    )
    assert "(application/json-patch+json)" in other.json()["message"]
    broken = lab.client.patch(url, headers=ADMIN | {"content-type": "application/json"}, content="[{")
    assert broken.status_code == 400


def test_the_audit_log_tells_who_did_what(lab: Lab) -> None:
    lab.clock.move(3)
    patch(lab, replaced("25"))
    lab.client.post(
        lab.url("unleash", f"/api/admin{ENV}/off"), headers={"Authorization": "practice-as-alice"}
    )
    off, update, *_ = events(lab, "&environment=IS:production")
    assert {**update, "id": 0, "groupId": "", "summary": "", "data": None, "preData": None} == {
        "id": 0,
        "type": "feature-strategy-update",
        "createdBy": "admin",
        "createdAt": "2026-03-04T03:00:03.000Z",
        "createdByUserId": -42,
        "data": None,
        "preData": None,
        "tags": [],
        "featureName": "chat_reads",
        "project": "default",
        "environment": "production",
        "groupType": "transaction",
        "groupId": "",
        "label": "Flag strategy updated",
        "summary": "",
    }
    assert (update["preData"]["parameters"]["rollout"], update["data"]["parameters"]["rollout"]) == (
        "0",
        "25",
    )
    assert (off["createdBy"], off["label"], off["data"]) == ("alice", "Flag disabled", None)
    assert off["id"] > update["id"]


def test_the_audit_log_can_be_searched(lab: Lab) -> None:
    patch(lab, replaced("25"))
    assert [each["featureName"] for each in events(lab, "&limit=1")] == ["chat_reads"]
    body = lab.admin("GET", "/search/events?type=IS:feature-strategy-update").json()
    assert (len(body["events"]), body["total"]) == (1, 1)
    body = lab.admin("GET", "/search/events?feature=IS_ANY_OF:chat_reads,chat_writes&limit=2&offset=1").json()
    assert (len(body["events"]), body["total"]) == (2, 7)
    assert lab.admin("GET", "/search/events?from=IS:2026-03-05").json() == {"events": [], "total": 0}
    assert lab.admin("GET", "/search/events?to=IS:2026-03-04&project=IS:default").json()["total"] == 7
    old = lab.admin("GET", "/events?limit=1").json()
    assert (len(old["events"]), old["totalEvents"]) == (7, 7)


def test_feature_search_is_limited_to_15_a_minute(lab: Lab) -> None:
    for _ in range(15):
        found = lab.admin("GET", "/search/features?project=IS:default&limit=1")
        assert found.status_code == 200
    assert (len(found.json()["features"]), found.json()["total"]) == (1, 2)
    assert found.headers["ratelimit-remaining"] == "0"
    lab.clock.move(3)
    refused = lab.admin("GET", "/search/features")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "57"
    assert refused.headers["content-type"].startswith("text/html")
    assert refused.text == "Too many requests, please try again later."
    lab.clock.move(57)
    assert lab.admin("GET", "/search/features").status_code == 200


def test_maintenance_refuses_writes_only(lab: Lab) -> None:
    assert lab.admin("GET", "/maintenance").json() == {"enabled": False}
    assert lab.admin("POST", "/maintenance", {"enabled": True}).status_code == 204
    refused = lab.admin("POST", f"{ENV}/off")
    assert refused.status_code == 503
    assert refused.json() == {"message": "Unleash is currently in maintenance mode."}
    assert lab.admin("GET", ENV).json()["enabled"] is True
    assert lab.admin("GET", "/ui-config").json()["maintenanceMode"] is True
    assert lab.admin("POST", "/maintenance", {"enabled": False}).status_code == 204
    assert lab.admin("POST", f"{ENV}/off").status_code == 200


def test_paid_editions_are_not_there(lab: Lab) -> None:
    for path in (f"{ENV}/release-plans", "/projects/default/change-requests", "/signal-endpoints"):
        answer = lab.admin("GET", path)
        assert (answer.status_code, answer.json()["name"]) == (404, "NotFoundError")
        assert answer.json()["message"].endswith(f"(/api/admin{path}) is not available.")
    assert lab.admin("POST", "/environments", {"name": "canary"}).status_code == 404
    assert lab.admin("POST", f"{ENV}/sideways").status_code == 404
    assert lab.admin("GET", "/ui-config").json()["environment"] == "Open Source"


def test_environments(lab: Lab) -> None:
    body = lab.admin("GET", "/environments").json()
    assert body["version"] == 1
    assert body["environments"][1] == {
        "name": "production",
        "type": "production",
        "sortOrder": 3,
        "enabled": True,
        "protected": False,
        "requiredApprovals": None,
        "projectCount": 1,
        "apiTokenCount": 1,
        "enabledToggleCount": 2,
    }


def test_health_says_good(lab: Lab) -> None:
    assert lab.get("unleash", "/health").json() == {"health": "GOOD"}
    assert lab.get("unleash", "/ready").json() == {"health": "GOOD"}
