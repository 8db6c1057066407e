"""A cockpit without its screen, as tests fly it: its engine, every picture it drew, its orders."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from uuid import uuid4

from cockpit.cli.looking import status_lines
from cockpit.core.commands import Advance, Command, CommandState, CommandStatus, DeclareRollback
from cockpit.core.rollback import Rollback
from cockpit.core.snapshot import FlagStatus, Snapshot
from cockpit.engine.engine import Engine

OPERATOR = "kim"
WITHIN_S = 45.0


class Cockpit:
    """A flying engine and every picture it has drawn. within_s: how long it is waited for anything."""

    def __init__(self, engine: Engine, *, within_s: float = WITHIN_S) -> None:
        self.engine = engine
        self._within_s = within_s
        self.pictures: list[Snapshot] = [engine.latest()]
        self._drawn = threading.Condition()
        self._unsubscribe = engine.subscribe(self._note)

    def _note(self) -> None:
        with self._drawn:
            self.pictures.append(self.engine.latest())
            self._drawn.notify_all()

    def close(self) -> None:
        self._unsubscribe()

    def wait(
        self, what: str, condition: Callable[[Snapshot], object], *, within_s: float | None = None
    ) -> Snapshot:
        """The first picture from the present one on for which `condition` holds."""
        give_up_at = monotonic() + (self._within_s if within_s is None else within_s)
        with self._drawn:
            looked_at = len(self.pictures) - 1
            while True:
                for picture in self.pictures[looked_at:]:
                    if condition(picture):
                        return picture
                looked_at = len(self.pictures)
                left_s = give_up_at - monotonic()
                if left_s <= 0 or not self.engine.alive:
                    raise AssertionError(f"never: {what}\n{told(self.pictures[-1])}")
                self._drawn.wait(min(left_s, 1.0))

    def order(self, command: Command) -> CommandStatus:
        """Submit it and wait until it is done or refused."""
        self.engine.submit(command)
        return self.end_of(command)

    def end_of(self, command: Command) -> CommandStatus:
        over = (CommandState.DONE, CommandState.REFUSED)
        picture = self.wait(
            f"an end of {type(command).__name__}",
            lambda picture: any(one.id == command.id and one.state in over for one in picture.commands),
        )
        return next(one for one in picture.commands if one.id == command.id)

    def advance(self, flag: str, percent: int) -> CommandStatus:
        return self.order(Advance(id=str(uuid4()), by=OPERATOR, flag=flag, percent_hundredths=100 * percent))

    def declare(self, *flags: str, reason: str = "the new side fails") -> Rollback:
        command = DeclareRollback(id=str(uuid4()), by=OPERATOR, flags=flags, reason=reason)
        assert self.order(command).state is CommandState.DONE
        return rollback_of(self.wait("an open rollback", lambda picture: picture.rollback))


def told(picture: Snapshot) -> str:
    """A picture in lines, for the message of a failed test."""
    gates = [f"gate {flag.key}: {gate.text}" for flag in picture.flags for gate in flag.gates if not gate.met]
    flips = [repr(flip) for flip in picture.rollback.flips] if picture.rollback is not None else []
    tail = [line.text for line in picture.tail[-12:]]
    return "\n".join([*status_lines(picture, picture.engine_at), *gates, *flips, *tail])


def flag_of(picture: Snapshot, key: str) -> FlagStatus:
    return next(flag for flag in picture.flags if flag.key == key)


def rollback_of(picture: Snapshot) -> Rollback:
    assert picture.rollback is not None
    return picture.rollback


def machine_part_done(picture: Snapshot) -> bool:
    return all(step.settled for step in rollback_of(picture).steps if step.machine)


def configured_pct(flag: FlagStatus, picture: Snapshot) -> float | None:
    """What the flag service says now; None while that cannot be told."""
    value = flag.configured.fresh_value(picture.engine_at)
    return value.exposure.value if value is not None and value.exposure is not None else None


def observed_pct(flag: FlagStatus, picture: Snapshot) -> float | None:
    """The share that Prometheus counted lately; None while that cannot be told."""
    share = flag.observed.fresh_value(picture.engine_at)
    return share.percent.value if share is not None else None
