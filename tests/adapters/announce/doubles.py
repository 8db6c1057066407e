"""Slack, PagerDuty and Grafana as their documentation describes them; none can be had for tests.

Every answer says where it comes from: "docs" is the vendor's documentation, "schema" its published API
schema, "known" is common knowledge that nobody read up for this. Each double judges what it is sent and
keeps what it took, and so catches what a canned answer would not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.adapters.probes.scripted import Reply, Request, as_json, as_text

_SEVERITIES = ("critical", "error", "warning", "info")
_MENTION = re.compile(r"<[^>]*>")


def parsed(request: Request) -> Any:
    """The JSON body, None when it is none."""
    try:
        return json.loads(request.body)
    except ValueError:
        return None


@dataclass
class Slack:
    """docs.slack.dev, incoming webhooks: `ok` or one plain word (docs), and which status it comes with
    (docs; the length of a section's text and its word: known). `posts` is what the channel shows.
    """

    path: str
    archived: bool = False
    posts: list[Any] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        body = parsed(request)
        if request.path != self.path:
            return as_text("no_service", 404)
        if self.archived:
            return as_text("channel_is_archived", 410)
        if request.method != "POST" or not isinstance(body, dict):
            return as_text("invalid_payload", 400)
        if not isinstance(body.get("text"), str) or not body["text"]:
            return as_text("no_text", 400)
        if any(len(block["text"]["text"]) > 3000 for block in body["blocks"] if block["type"] == "section"):
            return as_text("invalid_blocks", 400)
        self.posts.append(body)
        return as_text("ok")

    def mentions(self) -> list[str]:
        """What Slack would read as a mention or a link."""
        return _MENTION.findall(json.dumps(self.posts, ensure_ascii=False))


@dataclass
class PagerDuty:
    """reference/events-v2: `alerts` are open or resolved by their key, `changes` page nobody. Schema: 202
    with status and key, 400 with errors. Known: the words of an error, and that a summary has 1024
    characters.
    """

    key: str
    alerts: dict[str, str] = field(default_factory=dict)
    changes: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        body = parsed(request)
        if request.method != "POST" or not isinstance(body, dict):
            return _invalid("Invalid JSON")
        if body.get("routing_key") != self.key:
            return _invalid(f"'routing_key' {body.get('routing_key')} is invalid")
        if request.path == "/v2/change/enqueue":
            return self._change(body)
        return self._alert(body) if request.path == "/v2/enqueue" else as_text("Not Found", 404)

    def _change(self, body: Any) -> Reply:
        payload = body.get("payload")
        if not isinstance(payload, dict) or not payload.get("summary"):
            return _invalid("'payload.summary' is missing or blank")
        self.changes.append(payload)
        return as_json({"status": "success", "message": "Change event processed"}, 202)

    def _alert(self, body: Any) -> Reply:
        action, key, payload = body.get("event_action"), body.get("dedup_key"), body.get("payload")
        if action not in ("trigger", "acknowledge", "resolve") or not key:
            return _invalid("'event_action' is missing or invalid")
        if action == "trigger":
            if not isinstance(payload, dict) or not all(payload.get(each) for each in ("summary", "source")):
                return _invalid("'payload' is missing or blank")
            if payload.get("severity") not in _SEVERITIES or len(payload["summary"]) > 1024:
                return _invalid("'payload.severity' is invalid")
            self.alerts[key] = "triggered"
        elif key in self.alerts:
            self.alerts[key] = f"{action}d"
        self.events.append(body)
        return as_json({"status": "success", "message": "Event processed", "dedup_key": key}, 202)


def _invalid(why: str) -> Reply:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": [why]}
    return as_json(body, 400)


@dataclass
class Grafana:
    """HTTP API, annotations: `seen` is what a dashboard shows that asks for one tag. Docs: the answer to a
    new annotation, 401 and 403. Known: the words of an error.
    """

    token: str
    may_write: bool = True
    annotations: list[Any] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        body = parsed(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return as_json({"message": "Invalid API key"}, 401)
        if not self.may_write:
            text = "You'll need additional permissions to perform this action"
            return as_json({"accessErrorId": "ACE1", "message": text, "title": "Access denied"}, 403)
        if (request.method, request.path) != ("POST", "/grafana/api/annotations"):
            return as_json({"message": "Not found"}, 404)
        if not isinstance(body, dict) or not body.get("text"):
            return as_json({"message": "Failed to save annotation: text field should not be empty"}, 400)
        if not isinstance(body.get("time"), int):
            return as_json({"message": "bad request data"}, 400)
        self.annotations.append(body)
        return as_json({"id": 1123 + len(self.annotations), "message": "Annotation added"})

    def seen(self, tag: str) -> list[Any]:
        return [each for each in self.annotations if tag in each.get("tags", [])]
