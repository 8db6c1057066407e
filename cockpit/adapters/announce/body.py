"""An announcement as JSON: what every receiver gets, by web or by standard input."""

from __future__ import annotations

import json
from typing import Final

from cockpit.adapters.base import Announcement

SCHEMA: Final = "cockpit.event.v1"


def to_json(announcement: Announcement) -> bytes:
    """One line of UTF-8 JSON. `event_id` is the same in every retry: a receiver drops what it has seen."""
    fields = {
        "schema": SCHEMA,
        "event_id": announcement.event_id,
        "moment": announcement.moment,
        "title": announcement.title,
        "text": announcement.text,
        "environment": announcement.environment,
        "plan": announcement.plan,
        "actor": announcement.actor,
        "at": announcement.at.isoformat(),
        "facts": dict(announcement.facts),
    }
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()
