"""What broken and malicious services send: garbage instead of JSON, and text that attacks terminals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cockpit.core.dataclass import dataclass
from cockpit.practice.faults import Garbage

EVIL_TEXTS: Final = (
    "\x1b[2J\x1b[1;1Hscreen cleared",
    "\x1b]52;c;cm0gLXJmIC8K\x07clipboard",
    "\x1b]8;;http://evil.invalid\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mred by C1\x9b0m",
    "\u202egnp.exe reversed\u202c",
    "zero\u200bwidth\u2060\ufeff",
    "[@click=app.rollback('evil')]press me[/]",
    "[/] [/foo] [type=x, v={'a[0]'}]",
    "null\x00 bell\x07 backspace\x08 delete\x7f",
    "z\u0301\u0302\u0303\u0304\u0305\u0306 combining",
    "line\nbreak\r\ntab\t",
    "x" * 5000,
)

HUGE_BYTES: Final = 6_000_000
HTML: Final = (
    b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n"
    b"<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx/1.22.1</center></body></html>\n"
)

_TEXT_FIELDS: Final = frozenset(
    {
        "createdBy",
        "db",
        "description",
        "detail",
        "error",
        "errorMessage",
        "label",
        "lastError",
        "message",
        "redis",
        "summary",
        "title",
        "username",
        "version",
        "revision",
    }
)
_LIST_FIELDS: Final = frozenset({"warnings", "infos", "logLines"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/json")


def garble(reply: Reply, kind: Garbage) -> Reply:
    """The same answer, broken in that way. Status 200 stays where the breakage is in the body."""
    if kind is Garbage.HTML:
        return Reply(status=200, headers={"content-type": "text/html"}, body=HTML)
    if kind is Garbage.TRUNCATED:
        return replace(reply, body=reply.body[: max(1, len(reply.body) * 2 // 3)])
    if kind is Garbage.BAD_UTF8:
        middle = len(reply.body) // 2
        return replace(reply, body=reply.body[:middle] + b"\xff\xfe\xc3\x28" + reply.body[middle:])
    if kind is Garbage.HUGE:
        return replace(reply, body=b'{"padding":"' + b"A" * HUGE_BYTES + b'"}')
    if not reply.is_json or not reply.body:
        return replace(reply, body=b"42")
    return replace(reply, body=json.dumps(_wrong_types(json.loads(reply.body))).encode())


def _wrong_types(value: Any) -> Any:
    """Every leaf and list of another type than it was; objects keep their keys."""
    if isinstance(value, dict):
        return {key: _wrong_types(each) for key, each in value.items()}
    if isinstance(value, list):
        return {"0": [_wrong_types(each) for each in value]}
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return 7
    return ["surprise"]


def poison(reply: Reply) -> Reply:
    """The same answer with attacks in every field that is text for people."""
    if not reply.body:
        return reply
    if reply.is_json:
        return replace(reply, body=json.dumps(_poisoned(json.loads(reply.body), [0])).encode())
    if reply.headers.get("content-type", "").startswith("text/plain; version="):
        return reply
    return replace(reply, body=reply.body + " ".join(EVIL_TEXTS).encode())


def _poisoned(value: Any, counter: list[int]) -> Any:
    if isinstance(value, list):
        return [_poisoned(each, counter) for each in value]
    if not isinstance(value, dict):
        return value
    poisoned: dict[str, Any] = {}
    for key, each in value.items():
        if key in _TEXT_FIELDS and (each is None or isinstance(each, str)):
            poisoned[key] = f"{each or ''}{_next_evil(counter)}"
        elif key in _LIST_FIELDS:
            poisoned[key] = list(EVIL_TEXTS)
        else:
            poisoned[key] = _poisoned(each, counter)
    return poisoned


def _next_evil(counter: list[int]) -> str:
    counter[0] += 1
    return EVIL_TEXTS[(counter[0] - 1) % len(EVIL_TEXTS)]
