"""Flags that are asked one by one: when a trouble is one flag's, and when it is the whole service's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from cockpit.adapters.base import AdapterError, Preflight
from cockpit.adapters.flags.lines import flag_lines
from cockpit.core.model import Fault, FlagValue

Read = Callable[[str], Awaitable[FlagValue]]
Found = Mapping[str, FlagValue | AdapterError]


async def read_each(keys: Sequence[str], read: Read) -> Found:
    """Every flag's value or its trouble. What one flag said is kept when another got no answer.

    Raises the first AdapterError where no flag could be read and none of them is wrong in the plan: then it
    is the service that cannot be asked.
    """
    found = await _found(keys, read)
    errors = [each for each in found.values() if isinstance(each, AdapterError)]
    one_flags = any(error.failure.fault is Fault.PLAN for error in errors)
    if errors and len(errors) == len(found) and not one_flags:
        raise errors[0]
    return found


async def lines_of_each(keys: Sequence[str], read: Read) -> list[Preflight]:
    """What `cockpit check` says of every flag, whatever ails the others."""
    found = await _found(keys, read)
    return [line for key, each in found.items() for line in flag_lines(key, each)]


async def _found(keys: Sequence[str], read: Read) -> Found:
    found = await asyncio.gather(*(_one(read, key) for key in keys))
    return dict(zip(keys, found, strict=True))


async def _one(read: Read, key: str) -> FlagValue | AdapterError:
    try:
        return await read(key)
    except AdapterError as error:
        return error
