"""What a hostile or broken service sends, and the proof that nothing of it came through."""

from __future__ import annotations

import dataclasses
import json
import random
import unicodedata
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from cockpit.adapters.base import AdapterError
from tests.adapters.probes.scripted import HTML, Drip, Hang, Reply, Reset, Step, as_json, as_text

EVIL = (
    "\x1b[2J\x1b]52;c;ZXZpbA==\x07 \x9b31m C1 \x85 \u202ebidi\u2066 zero\u200bwidth\ufeff \x00NUL \x7f\r\n\t"
    " [@click=app.rollback('x')]press[/] [/ [link=file:///etc]x"
    " a\u0301\u0301\u0301\u0301\u0301 \ud83d\ue000 \U000e0041"
)
TOKEN = "token-3f9a-throwaway-secret"

TROUBLES: Mapping[str, Step] = {
    "html with 200": as_text("<!doctype html><title>Sign in</title>", 200, "text/html"),
    "html 502": HTML,
    "truncated JSON": Reply(
        body=b'{"status":"success","data":{"resu', headers={"content-type": "application/json"}
    ),
    "cut short": Reply(body=b'{"status":', length=500),
    "invalid UTF-8": Reply(body=b'{"status":"\xff\xfe\xc3\x28"}'),
    "claims 2 GB": Reply(body=b"{" * 10, length=2_000_000_000),
    "too large": Reply(body=b'"' + b"a" * 2_500_000 + b'"'),
    "nested deeply": Reply(body=b"[" * 200_000),
    "huge number": Reply(body=b'{"status": 1e999}'),
    "endless integer": Reply(body=b'{"status": ' + b"9" * 5000 + b"}"),
    "NaN literal": Reply(body=b'{"status": NaN}'),
    "empty": Reply(),
    "a number": as_json(42),
    "null": as_json(None),
    "a list": as_json([[], {}]),
    "an empty object": as_json({}),
    "evil text": as_json(
        {"status": EVIL, "error": EVIL, "message": EVIL, "code": EVIL, "errorMessage": EVIL}
    ),
    "evil 500": as_json({"message": EVIL, "code": EVIL}, 500),
    "evil header": Reply(body=b"{}", headers={"server": "a\x1b[2Jb", "date": "not a \x9bdate"}),
    "not HTTP": Reply(status=200, headers={"x": "y\r\nbroken header line"}),
    "hang": Hang(),
    "reset": Reset(),
    "dripping": Drip(),
    **{str(status): as_text("no", status) for status in (401, 403, 404, 409, 429, 500, 503)},
}


def texts_in(value: object) -> Iterator[str]:
    """Every text anywhere inside a value: dataclasses, containers, errors with their failures."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, AdapterError):
        yield str(value)
        yield from texts_in(value.failure)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            yield from texts_in(getattr(value, each.name))
    elif isinstance(value, Mapping):
        yield from texts_in(list(value.items()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from texts_in(item)


def assert_harmless(value: object, *secrets: str) -> None:
    """Nothing that a terminal would act on and no secret is in any text of `value`."""
    for text in texts_in(value):
        bad = [
            char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        ]
        assert not bad, f"{bad!r} in {text!r}"
        assert len(text) <= 500
        for secret in (TOKEN, *secrets):
            assert secret not in text


def mutated(document: Any, seed: int) -> Any:
    """A copy of a JSON value with one to three places replaced by something of another kind."""
    dice = random.Random(seed)
    copy = json.loads(json.dumps(document))
    for _ in range(dice.randint(1, 3)):
        copy = _with_one_change(copy, dice)
    return copy


def _with_one_change(value: Any, dice: random.Random) -> Any:
    if not isinstance(value, dict | list) or not value or dice.random() < 0.15:
        return deepcopy(dice.choice(_SURPRISES))
    key = dice.choice(list(value)) if isinstance(value, dict) else dice.randrange(len(value))
    if dice.random() < 0.1:
        del value[key]
    else:
        value[key] = _with_one_change(value[key], dice)
    return value


_SURPRISES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -1e308, 10**30, 253402300800, -62135596801, "", "NaN", "-Inf", "+Inf",
    "1e999", "-5", "0x10", "1_000", " 7 ", "٣", EVIL, [], {}, [[]], {"a": {}}, [1, 2, 3], "x" * 1000,
    {"value": [0, "1"]}, [0, "1"], "success", "error",
)  # fmt: skip
