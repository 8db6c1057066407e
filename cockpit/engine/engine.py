"""The engine: its own thread and event loop. It polls, decides, journals, acts and publishes snapshots.

The face talks to it through the four methods of the port and can never hold it up: a stalled terminal, a
closed one or a face that is gone changes nothing here. The engine calls nobody who could wait for it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from cockpit.core.clocks import ClockPair, longest
from cockpit.core.commands import Command, DeclareRollback
from cockpit.core.snapshot import Snapshot
from cockpit.engine.collecting import Rest
from cockpit.engine.flying import Flying
from cockpit.engine.pilot import Pilot

# A face that draws keeps the interpreter for one such interval whenever the engine has let go of it, which
# every statement to the journal and every send does. Measured in turns with Python's 5 ms beside 200 polls/s:
# from the key to the declared rollback takes half as long. A machine without spare CPU stays slow either way.
SWITCH_S: Final = 0.0005


SEEN_LIMIT_S: Final = 3.0
"""For how long the first polls wait for eyes at the most."""


STOOD_STILL_S: Final = 30.0
"""For a command to wait for the engine, which takes it in a few milliseconds, or seconds at the start."""


class Engine:
    """A port for the face, and the thread behind it. Everything else happens in the `Pilot` on the loop."""

    def __init__(self, flying: Flying) -> None:
        self._flying = flying
        self._inbox: deque[tuple[Command, ClockPair]] = deque()
        self._subscribers: dict[int, Callable[[], None]] = {}
        self._next_subscriber = 0
        self._guard = threading.Lock()
        self._ready = threading.Event()
        self._seen = threading.Event()
        self._off_the_ground = threading.Event()
        self._patient = self._flew = False
        self._failed: BaseException | None = None
        self._snapshot: Snapshot | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pilot: Pilot | None = None
        self._rest = Rest()
        self._stop_why: str | None = None
        self._leave_open = False
        self._thread = threading.Thread(target=self._run, name="cockpit-engine", daemon=True)

    def start(self, *, patiently: bool = False) -> None:
        """Start the thread and wait for the first snapshot. Raises what stopped it from starting.

        patiently: the adapters are built, and everything polled, once that snapshot was `seen`, or sooner
        when there is something to do: a command, an end, an open rollback. Building takes the interpreter
        from a screen that is being made, and may fail: `grounded`.
        """
        self._patient = patiently
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def seen(self) -> None:
        """A screen shows the first snapshot."""
        self._seen.set()

    def grounded(self) -> bool:
        """Wait until everything is polled; True when it never will be, and `failed` says why."""
        self._off_the_ground.wait()
        return not self._flew

    def latest(self) -> Snapshot:
        if self._snapshot is None:
            raise RuntimeError("the engine was not started")
        return self._snapshot

    def submit(self, command: Command) -> None:
        self._inbox.append((command, ClockPair.of(self._flying.clock)))
        self._seen.set()
        self._call(self._hand_over)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        with self._guard:
            number, self._next_subscriber = self._next_subscriber, self._next_subscriber + 1
            self._subscribers[number] = callback

        def stop() -> None:
            with self._guard:
                self._subscribers.pop(number, None)

        return stop

    def stop(self) -> None:
        self.stop_because("the operator left")

    def stop_because(self, why: str) -> None:
        """Ask to stop; safe from a signal handler. With a rollback open the machine steps go on first."""
        if self._stop_why is None:
            self._stop_why = why
        self._seen.set()
        self._call(self._tell_to_stop)

    def leave_now(self, why: str) -> None:
        """Ask to stop and leave an open rollback where it is: the next cockpit on its journal goes on."""
        self._leave_open = True
        self.stop_because(why)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread; True when it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def failed(self) -> BaseException | None:
        """What ended the thread, if it did not end by itself."""
        return self._failed

    @property
    def last_words(self) -> tuple[str, ...]:
        """What has to be said on the terminal once the thread has ended and the screen is gone."""
        return self._pilot.last_words if self._pilot is not None else ()

    def _call(self, function: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(function)
            except RuntimeError:
                return  # the loop closed in between: there is nobody left to tell

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # the thread's edge: the starter is told, or the face sees ageing data
            self._failed = error
        finally:
            self._ready.set()
            self._off_the_ground.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pilot = Pilot(self._flying, show=self._show, later=self._patient)
        try:
            self._pilot.open()
            self._ready.set()
            if self._patient:  # nothing happens on the loop before
                self._pilot.build(partial(self._seen.wait, SEEN_LIMIT_S))
            self._flew = True
            self._off_the_ground.set()
            self._hand_over()
            self._tell_to_stop()
            await self._pilot.fly()
        finally:
            self._rest.end()
            await self._pilot.leave()

    def _hand_over(self) -> None:
        """Everything in the inbox, rollbacks first: they jump the queue. What was given before this process
        stood still was meant for a world that has gone on since."""
        batch, late = list[Command](), list[Command]()
        while self._inbox:
            command, given = self._inbox.popleft()
            old = longest(given, ClockPair.of(self._flying.clock)) > STOOD_STILL_S
            (late if old else batch).append(command)
        if any(isinstance(command, DeclareRollback) for command in batch):
            self._rest.begin()
        if (batch or late) and self._pilot is not None:
            self._pilot.take(batch, late)

    def _tell_to_stop(self) -> None:
        if self._stop_why is not None and self._pilot is not None:
            self._pilot.stop(self._stop_why, leave_open=self._leave_open)

    def _show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        with self._guard:
            callbacks = tuple(self._subscribers.values())
        failed: Exception | None = None
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # the screen's edge: a broken one keeps nobody from looking or flying
                failed = error
        if failed is not None:
            raise failed
