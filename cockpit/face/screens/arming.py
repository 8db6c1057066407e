"""The second press of one key, told apart from a held key and from keys typed into a stalled screen.

A press counts only if nothing was typed for a while before it (a held key repeats, so it never is
silent), if the screen itself heard it arrive (keys typed at the screen below are resolved against the
sheet, too), and if it was made after the sheet had said that it is ready (a key that waited in a stalled
queue was made before). Two clocks: the injected one for silence, the events' own for what came first.
"""

from __future__ import annotations

from collections import deque
from typing import Final

QUIET_S: Final = 0.5


class SecondPress:
    """`heard` every key, `shown` when the words say "press", `take` in the action itself."""

    def __init__(self, now_s: float, *, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._last_key_s = now_s
        self._ready_since: float | None = None
        self._presses: deque[bool] = deque()

    def silent(self, now_s: float) -> bool:
        return now_s - self._last_key_s >= self._quiet_s

    @property
    def ready(self) -> bool:
        """Whether the words on the screen say "press"."""
        return self._ready_since is not None

    def shown(self, now_s: float, event_time: float) -> None:
        """Called with every picture: it says "press" from the first one after enough silence."""
        if self._ready_since is None and self.silent(now_s):
            self._ready_since = event_time

    def heard(self, now_s: float, event_time: float, *, confirms: bool) -> None:
        """Any key. `confirms`: it is the one whose second press counts; its verdict waits for `take`."""
        in_time = self._ready_since is not None and event_time >= self._ready_since
        if confirms:
            self._presses.append(in_time and self.silent(now_s))
        self._last_key_s = now_s
        self._ready_since = None

    def take(self, now_s: float) -> bool:
        """The verdict over the oldest press that was not taken; False for one that was never heard here."""
        if self._presses:
            return self._presses.popleft()
        self._last_key_s = now_s
        self._ready_since = None
        return False
