"""How a secret becomes a header. Here and in the adapters is the only place where one is revealed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from cockpit.core.secret import REDACTED, Secret, SecretRef

Secrets = Callable[[SecretRef], Secret]

_SHORTEST_BLANKED: Final = 4
_SHORTEST_LINE: Final = 8


def bearer(secret: Secret) -> Secret:
    return Secret(f"Bearer {secret.reveal()}")


def blanked(text: str, secrets: Iterable[Secret]) -> str:
    """The text without these secrets and their lines: programs complain line by line, and a key has many.

    Before anything cuts or cleans it: half a secret would not be known again.
    """
    for value in secrets:
        for part in _parts(value.reveal()):
            text = text.replace(part, REDACTED)
    return text


def _parts(secret: str) -> Iterator[str]:
    if len(secret) >= _SHORTEST_BLANKED:
        yield secret
    yield from (line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE)


def escaped(part: str) -> frozenset[str]:
    """How a text may stand in JSON: as it is, with its quotes, backslashes and letters escaped, and with
    its slashes as PHP writes them."""
    forms = {part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
    return frozenset({*forms, *(form.replace("/", "\\/") for form in forms)})
