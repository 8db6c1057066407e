"""HAProxy as a lever: a flag is one backend with a legacy and a new server, its percentage their weights.

What it is built around, all seen on 2.6: success is an empty answer and every error a sentence; a
command that fails does not stop the others of its line, but a line whose sender gave up may be obeyed
in part; with both weights at 0 everybody gets a 503; weights set at run time are gone after a reload;
nothing guards against a stale write, so the state is read in the milliseconds before. The arithmetic
of weights is explained in `haproxy_state`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight, RefusedByService
from cockpit.adapters.credentials import Secrets
from cockpit.adapters.flags.haproxy_settings import _NAME, HaproxySettings
from cockpit.adapters.flags.haproxy_socket import RuntimeSocket
from cockpit.adapters.flags.haproxy_state import (
    Split,
    Weights,
    after_reload,
    agent_line,
    algorithm_line,
    read_field,
    read_split,
    read_table,
    reload_line,
    weights_for,
)
from cockpit.adapters.flags.outcome import not_read_back, not_written, refused, reported, unknown, words
from cockpit.adapters.flags.turns import Turn, Turns, must_be_as_expected
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO, Percent, clean_text
from cockpit.core.model import Failure, Fault, FlagValue, WriteResult

if TYPE_CHECKING:
    from cockpit.adapters.http import Web

_LEGACY_AT_LEAST: Final = 100
_GLANCE_S: Final = 1.0


class _Backends:
    """Looking at backends over one socket."""

    def __init__(self, settings: HaproxySettings, socket: RuntimeSocket) -> None:
        self._settings = settings
        self.socket = socket

    async def look(self, key: str, within_s: float | None = None) -> Split:
        """Raises AdapterError."""
        if not _NAME.fullmatch(key):
            failure = Failure(title="not the name of a backend", retryable=False, fault=Fault.PLAN)
            raise RefusedByService(failure, sent=False)
        answer = await self.socket.ask(f"show servers state {key}", within_s=within_s)
        return read_split(answer, backend=key, legacy=self._settings.legacy, new=self._settings.new)


class HaproxyReader:
    def __init__(self, settings: HaproxySettings, socket: RuntimeSocket) -> None:
        self._backends = _Backends(settings, socket)

    async def read(self, keys: Sequence[str]) -> Mapping[str, FlagValue | AdapterError]:
        found: dict[str, FlagValue | AdapterError] = {}
        for key in keys:
            try:
                found[key] = (await self._backends.look(key)).value(key)
            except RefusedByService as error:
                if error.failure.fault is not Fault.PLAN:
                    raise
                found[key] = error
            except BrokenAnswer as error:
                found[key] = error
        return found

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        socket = self._backends.socket
        subject, question = f"HAProxy at {socket.address}", "it answers as HAProxy"
        try:
            version = read_field(await socket.ask("show info"), "Version")
        except AdapterError as error:
            return [Preflight(subject=subject, question=question, ok=False, detail=words(error))]
        detail = f"version {version}" if version else "it tells no version"
        lines = [Preflight(subject=subject, question=question, ok=version is not None, detail=detail)]
        for key in keys:
            lines += await self._about(key)
        return lines

    async def aclose(self) -> None:
        """Nothing is kept open between questions."""

    async def _about(self, key: str) -> list[Preflight]:
        try:
            split = await self._backends.look(key)
        except AdapterError as error:
            ok = False if isinstance(error, RefusedByService) else None
            return [Preflight(subject=key, question="it can be read", ok=ok, detail=words(error))]
        value = split.value(key)
        plain = "; ".join(value.complexities) or f"it reads {setting_words(value)}"
        return [
            Preflight(subject=key, question="one plain percentage", ok=not value.complexities, detail=plain),
            algorithm_line(key, await self._statistics(key)),
            reload_line(key, split),
            agent_line(key, split),
        ]

    async def _statistics(self, key: str) -> Sequence[Mapping[str, str]] | AdapterError:
        try:
            return read_table(await self._backends.socket.ask(f"show stat {key} -1 -1"))
        except AdapterError as error:
            return error


class HaproxyWriter:
    """Writes weights, and reads back what became of them."""

    def __init__(self, settings: HaproxySettings, socket: RuntimeSocket) -> None:
        self._settings = settings
        self._socket = socket
        self._backends = _Backends(settings, socket)
        self._turns = Turns()

    async def set_percent(self, key: str, percent: Percent, *, expected: FlagValue) -> WriteResult:
        async with self._turns.forward(key) as turn:
            return await reported(self._set_percent(turn, key, percent, expected))

    async def kill(self, key: str) -> WriteResult:
        return await reported(self._turns.kill(key, lambda: self._kill(key)))

    async def zero(self, key: str) -> WriteResult:
        return await reported(self._kill(key))

    async def preflight(self, keys: Sequence[str]) -> Sequence[Preflight]:
        subject, question = f"HAProxy at {self._socket.address}", "the write socket may write"
        try:
            level = clean_text(await self._socket.ask("show cli level"), limit=40)
        except AdapterError as error:
            return [Preflight(subject=subject, question=question, ok=False, detail=words(error))]
        detail = f"its level is {level}"
        return [Preflight(subject=subject, question=question, ok=level == "admin", detail=detail)]

    async def aclose(self) -> None:
        """Nothing is kept open between writes."""

    async def _set_percent(self, turn: Turn, key: str, percent: Percent, expected: FlagValue) -> str:
        wanted = weights_for(percent)
        if wanted is None:
            raise refused(f"no two weights from 0 to 256 give exactly {percent}", Fault.PLAN)
        before = await self._look_first(key)
        value = before.value(key)
        must_be_as_expected(value, expected)
        if value.percent == percent and (value.on or percent == ZERO):
            return f"it reads {percent} already{after_reload(before)}"
        commands = self._in_safe_order(key, before.weights, wanted)
        if before.new.out and percent != ZERO:
            commands.append(f"set server {key}/{self._settings.new} state ready")
        turn.check()
        said = await self._change(commands)
        after = await self._look_back(key)
        now = after.value(key)
        if now.percent == now.exposure == percent and not any(after.lasting()):
            passing = "".join(f"; {note}" for note in after.passing())
            return f"it reads {percent}{passing}{after_reload(after)}"
        if said and now.same_setting(value):
            raise refused(said)
        raise unknown(f"{said or 'it was accepted'}, and it reads {setting_words(now)}")

    async def _kill(self, key: str) -> str:
        """Legacy gets a weight first where it has none: with both at 0 nobody would be served."""
        server = self._settings.new
        try:
            seen: Split | None = await self._backends.look(key, within_s=_GLANCE_S)
        except RefusedByService as error:
            raise not_written(error) from None
        except AdapterError:
            seen = None
        commands = [f"set weight {key}/{server} 0"]
        if seen is None or seen.legacy.weight == 0:
            commands.insert(0, f"set weight {key}/{self._settings.legacy} {_LEGACY_AT_LEAST}")
        if self._settings.kill_state != "ready":
            commands.append(f"set server {key}/{server} state {self._settings.kill_state}")
        said = await self._change(commands)
        after = await self._look_back(key)
        if after.new.weight == 0 and after.legacy.weight > 0:
            trouble = "".join(f"; {note}" for note in after.value(key).complexities)
            return f"the weights are {after.weights}{after_reload(after)}{trouble}"
        raise unknown(f"{said or 'it was accepted'}, and the weights are {after.weights}")

    def _in_safe_order(self, key: str, now: Weights, then: Weights) -> list[str]:
        """Whatever is between the two commands is no larger share than before or after, and never none."""
        legacy = f"set weight {key}/{self._settings.legacy} {then.legacy}"
        new = f"set weight {key}/{self._settings.new} {then.new}"
        return [legacy, new] if then.legacy >= now.legacy else [new, legacy]

    async def _change(self, commands: Sequence[str]) -> str:
        """What HAProxy objected, clean; empty when it took every command."""
        answer = await self._socket.ask(*commands, writes=True)
        if answer == "\n" * len(commands):
            return ""
        return clean_text("HAProxy said: " + answer, limit=200)

    async def _look_first(self, key: str) -> Split:
        try:
            return await self._backends.look(key)
        except AdapterError as error:
            raise not_written(error) from None

    async def _look_back(self, key: str) -> Split:
        try:
            return await self._backends.look(key)
        except AdapterError as error:
            raise not_read_back(error) from None


def build_reader(settings: HaproxySettings, web: Web, secret: Secrets, timeout_s: float) -> HaproxyReader:
    return HaproxyReader(settings, RuntimeSocket(settings.socket, timeout_s=timeout_s))


def build_writer(
    settings: HaproxySettings, web: Web, secret: Secrets, timeout_s: float
) -> HaproxyWriter | None:
    """None without a socket to write to in the plan."""
    if settings.write_socket is None:
        return None
    return HaproxyWriter(settings, RuntimeSocket(settings.write_socket, timeout_s=timeout_s))
