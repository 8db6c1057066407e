"""How Unleash 8.2 writes its answers down; field by field as recorded from a real server."""

from __future__ import annotations

from typing import Final

from cockpit.practice.flags import Environment, Feature, Strategy, instant
from cockpit.practice.json_patch import Json, Refusal

VERSION: Final = "8.2.0"
WRONG_TOKEN_TYPE: Final = {"message": "invalid token: expected a different token type for this endpoint"}
NEEDS_TOKEN: Final = {
    "message": "This endpoint requires an API token. "
    "Please add an authorization header to your request with a valid token"
}
IN_MAINTENANCE: Final = {"message": "Unleash is currently in maintenance mode."}
_ADMIN: Final = {"id": -42, "name": "Unleash Admin Token User", "imageUrl": "https://gravatar.com/avatar/0"}
_SORT_ORDER: Final = {"development": 2, "production": 3}
_EVENT_LABELS: Final = {
    "feature-environment-enabled": ("Flag enabled", "enabled"),
    "feature-environment-disabled": ("Flag disabled", "disabled"),
    "feature-strategy-update": ("Flag strategy updated", "updated a strategy of"),
    "feature-strategy-add": ("Flag strategy added", "added a strategy to"),
    "feature-strategy-remove": ("Flag strategy removed", "removed a strategy from"),
    "feature-created": ("Flag created", "created"),
}


def error(name: str, message: str, *, detail: str = "", path: str = "", number: int | None = None) -> Json:
    """`number` makes the id that some of the errors carry."""
    first = {"message": detail or message} | ({"path": path} if path else {})
    body = {"name": name, "message": message, "details": [first]}
    return body if number is None else {"id": f"00000000-0000-4000-8000-{number:012d}"} | body


def refusal(refused: Refusal) -> Json:
    return error(refused.name, refused.message, detail=refused.detail, path=refused.path)


def not_available(path: str, number: int) -> Json:
    """Also what open-source servers answer on the paths of the paid editions."""
    message = f"The path you were looking for ({path}) is not available."
    return error("NotFoundError", message, number=number)


def unauthenticated(given: bool, number: int) -> Json:
    if given:
        return error("UnauthorizedError", "You must log in to use Unleash.", number=number)
    message = (
        "You must log in to use Unleash. Your request had no authorization header, so we could not "
        "authorize you. Try logging in at /auth/simple/login"
    )
    login = {"path": "/auth/simple/login", "type": "password", "defaultHidden": False}
    return error("AuthenticationRequired", message, number=number) | login


def forbidden(permission: str, environment: str) -> Json:
    message = (
        "You don't have the required permissions to perform this operation. To perform this action, "
        f'you need the "{permission}" permission in the "{environment}" environment.'
    )
    return error("PermissionError", message) | {"permissions": [permission]}


def content_type(given: str, number: int) -> Json:
    sent = f"({given})" if given else "(you didn't provide one)"
    message = (
        f"We do not accept the content-type you provided {sent}. Try using one of the content-types we do "
        "accept instead (application/json) and make sure the body is in the corresponding format."
    )
    return error("ContentTypeError", message, number=number)


def created_feature(feature: Feature) -> Json:
    return {
        "name": feature.name,
        "description": feature.description,
        "type": feature.type,
        "project": feature.project,
        "stale": False,
        "createdAt": instant(feature.created_at),
        "impressionData": feature.impression_data,
        "archived": False,
    }


def whole_feature(feature: Feature) -> Json:
    environments = [
        {
            "name": each.name,
            "lastSeenAt": None,
            "enabled": each.enabled,
            "yes": 0,
            "no": 0,
            "type": each.type,
            "sortOrder": _SORT_ORDER.get(each.name, 9),
            "strategies": [strategy.tree() for strategy in each.strategies],
        }
        for each in feature.environments.values()
    ]
    return {
        "environments": environments,
        "name": feature.name,
        "impressionData": feature.impression_data,
        "description": feature.description,
        "project": feature.project,
        "stale": False,
        "createdAt": instant(feature.created_at),
        "createdBy": _ADMIN,
        "type": feature.type,
        "archived": False,
        "dependencies": [],
        "children": [],
        "links": [],
        "collaborators": {"users": [_ADMIN]},
    }


def feature_environment(feature: Feature, environment: Environment) -> Json:
    return {
        "name": feature.name,
        "environment": environment.name,
        "enabled": environment.enabled,
        "strategies": [_with_feature_name(feature, strategy) for strategy in environment.strategies],
    }


def _with_feature_name(feature: Feature, strategy: Strategy) -> Json:
    tree = strategy.tree()
    return {
        "id": tree["id"],
        "featureName": feature.name,
        "title": tree["title"],
        "parameters": tree["parameters"],
        "constraints": tree["constraints"],
        "variants": tree["variants"],
        "sortOrder": tree["sortOrder"],
        "disabled": tree["disabled"],
        "name": tree["name"],
    } | ({"segments": tree["segments"]} if tree["segments"] else {})


def listed_strategy(strategy: Strategy) -> Json:
    return strategy.tree() | {"milestoneId": None}


def listed_feature(feature: Feature) -> Json:
    return {
        "type": feature.type,
        "description": feature.description,
        "favorite": False,
        "name": feature.name,
        "createdAt": instant(feature.created_at),
        "stale": False,
        "impressionData": feature.impression_data,
        "environments": [_listed_environment(each) for each in feature.environments.values()],
    }


def _listed_environment(environment: Environment) -> dict[str, Json]:
    return {
        "name": environment.name,
        "enabled": environment.enabled,
        "type": environment.type,
        "sortOrder": _SORT_ORDER.get(environment.name, 9),
        "variantCount": 0,
        "lastSeenAt": None,
        "hasStrategies": bool(environment.strategies),
        "hasEnabledStrategies": any(not strategy.disabled for strategy in environment.strategies),
    }


def found_feature(feature: Feature) -> Json:
    more = {"yes": 0, "no": 0, "changeRequestIds": []}
    return {
        "type": feature.type,
        "description": feature.description,
        "project": feature.project,
        "favorite": False,
        "name": feature.name,
        "createdAt": instant(feature.created_at),
        "stale": False,
        "archivedAt": None,
        "impressionData": feature.impression_data,
        "dependencyType": None,
        "environments": [_listed_environment(each) | more for each in feature.environments.values()],
        "segments": [],
        "createdBy": _ADMIN,
        "lifecycle": {"stage": "initial", "enteredStageAt": instant(feature.created_at)},
    }


def found_event(event: dict[str, Json]) -> Json:
    label, verb = _EVENT_LABELS.get(event["type"], (event["type"], "changed"))
    where = f" for the **{event['environment']}** environment" if event["environment"] else ""
    summary = f"**{event['createdBy']}** {verb} **{event['featureName']}**{where}"
    return event | {"label": label, "summary": f"{summary} in project **{event['project']}**"}


def environments(features: dict[str, Feature], names: tuple[str, ...]) -> Json:
    def enabled(name: str) -> int:
        return sum(each.environments[name].enabled for each in features.values() if name in each.environments)

    return {
        "version": 1,
        "environments": [
            {
                "name": name,
                "type": Environment(name=name).type,
                "sortOrder": _SORT_ORDER.get(name, 9),
                "enabled": True,
                "protected": False,
                "requiredApprovals": None,
                "projectCount": 1,
                "apiTokenCount": 1,
                "enabledToggleCount": enabled(name),
            }
            for name in names
        ],
    }


def ui_config(maintenance: bool) -> Json:
    """The part of the real answer that tells edition, version and maintenance."""
    return {
        "environment": "Open Source",
        "flags": {"maintenanceMode": maintenance},
        "version": VERSION,
        "emailEnabled": False,
        "baseUriPath": "",
        "authenticationType": "open-source",
        "versionInfo": {"current": {"oss": VERSION, "enterprise": ""}, "latest": {}, "isLatest": True},
        "maintenanceMode": maintenance,
    }


def me(permissions: list[str]) -> Json:
    """`GET /api/admin/user`: what this token may do."""
    return {
        "user": {"id": -42, "permissions": permissions, "type": "admin"},
        "permissions": [{"permission": each} for each in permissions],
        "feedback": {},
        "splash": {},
    }


def client_feature(feature: Feature, environment: Environment) -> Json:
    strategies = [
        {
            "name": each.name,
            "constraints": each.constraints,
            "parameters": dict(sorted(each.parameters.items())),
            "variants": each.variants,
        }
        for each in environment.strategies
        if not each.disabled
    ]
    return {
        "name": feature.name,
        "type": feature.type,
        "enabled": environment.enabled,
        "project": feature.project,
        "stale": False,
        "strategies": strategies,
        "variants": [],
        "description": feature.description,
        "impressionData": feature.impression_data,
    }
