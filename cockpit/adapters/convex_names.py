"""Names that a plan gives to things in Convex. Light on purpose: no network library is needed."""

from __future__ import annotations

import re
from typing import Annotated, Final

from cockpit.core.tables import After

FUNCTION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_/.-]{0,199}(:[A-Za-z0-9_]{1,100})?\Z")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")


def _function(path: str) -> str:
    if not FUNCTION.match(path):
        raise ValueError('a function is named like "health:check" or "ops/health:check"')
    return path


def _instance(name: str) -> str:
    if not _INSTANCE.match(name):
        raise ValueError('a deployment name is letters, digits and dashes, such as "happy-otter-123"')
    return name


FunctionPath = Annotated[str, After(_function)]
InstanceName = Annotated[str, After(_instance)]
