from __future__ import annotations

import pytest

from cockpit.practice.unleash_client import bucket, murmur3_32
from tests.practice.conftest import Lab

BACKEND = {"Authorization": "client-backend"}
NEEDS_TOKEN = {
    "message": "This endpoint requires an API token. "
    "Please add an authorization header to your request with a valid token"
}


def test_sdks_see_a_change_within_a_second_and_not_at_once(lab: Lab) -> None:
    first = lab.get("unleash", "/api/client/features", **BACKEND)
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == "20000;w=60"
    assert list(first.json()) == ["version", "features", "query", "meta"]
    lab.clock.move(0.4)
    lab.admin("POST", "/projects/default/features/chat_reads/environments/production/off")
    lab.clock.move(0.3)
    etag = first.headers["etag"]
    assert lab.get("unleash", "/api/client/features", **BACKEND, **{"If-None-Match": etag}).status_code == 304
    lab.clock.move(0.7)
    later = lab.get("unleash", "/api/client/features", **BACKEND, **{"If-None-Match": etag})
    assert later.status_code == 200
    assert later.headers["etag"] != etag
    reads = next(each for each in later.json()["features"] if each["name"] == "chat_reads")
    assert reads == {
        "name": "chat_reads",
        "type": "release",
        "enabled": False,
        "project": "default",
        "stale": False,
        "strategies": [
            {
                "name": "flexibleRollout",
                "constraints": [],
                "parameters": {"groupId": "chat_reads", "rollout": "0", "stickiness": "userId"},
                "variants": [],
            }
        ],
        "variants": [],
        "description": "Reads",
        "impressionData": False,
    }


def test_etags_have_the_recorded_form(lab: Lab) -> None:
    answer = lab.get("unleash", "/api/client/features", **BACKEND)
    query_hash, revision, version = answer.headers["etag"].strip('"').split(":")
    assert (query_hash, version) == (answer.json()["meta"]["queryHash"], "v1")
    assert int(revision) == answer.json()["meta"]["revisionId"]


def test_tokens_of_the_sdk_apis(lab: Lab) -> None:
    admin = lab.get("unleash", "/api/client/features", Authorization="practice-admin")
    assert admin.status_code == 403
    assert admin.json() == {"message": "invalid token: expected a different token type for this endpoint"}
    for headers in ({}, {"Authorization": "default:production.wrong"}):
        refused = lab.get("unleash", "/api/client/features", **headers)
        assert (refused.status_code, refused.json()) == (401, NEEDS_TOKEN)
    assert lab.get("unleash", "/api/frontend?userId=u1", **BACKEND).status_code == 403


def test_registration_and_metrics_are_taken(lab: Lab) -> None:
    for path in ("register", "metrics"):
        answer = lab.client.post(lab.url("unleash", f"/api/client/{path}"), headers=BACKEND, json={})
        assert (answer.status_code, answer.text) == (202, "")
    assert lab.get("unleash", "/api/client/delta", **BACKEND).status_code == 404


def test_the_frontend_tells_only_what_this_user_gets(lab: Lab) -> None:
    frontend = {"Authorization": "frontend-1"}
    assert lab.get("unleash", "/api/frontend?userId=u1", **frontend).json() == {"toggles": []}
    lab.practice.world.set_exposure("chat_reads", 50)
    lab.clock.move(2)
    enabled = [
        user
        for user in range(200)
        if lab.get("unleash", f"/api/frontend?userId={user}", **frontend).json()["toggles"]
    ]
    assert enabled == [user for user in range(200) if bucket("chat_reads", str(user)) <= 50]
    assert 70 < len(enabled) < 130


@pytest.mark.parametrize(("key", "value"), [(b"", 0), (b"test", 0xBA6BD213), (b"Hello, world!", 0xC0363E43)])
def test_murmur3(key: bytes, value: int) -> None:
    assert murmur3_32(key) == value


def test_buckets_are_those_of_the_real_sdks() -> None:
    assert bucket("gr1", "123") == 73
    assert bucket("groupX", "999") == 25
    assert bucket("cutover.reads", "u1") > 55 >= bucket("cutover.reads", "u2")
