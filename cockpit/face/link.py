"""The way from the screen to the terminal: one thread that writes what the terminal can take, and no more.

Whoever hands something over never waits. Frames are dropped and not queued: while one is on its way, later
ones replace each other, and the newest is drawn against what the terminal has got by then. Everything else
(modes, bells, titles, the clipboard) is sent whole and in order.

The kernel, sshd and the network keep many seconds of a calm screen for a link that hangs, and would replay
them. So a terminal that answers questions is asked now and then, in the stream of frames, and while it owes
the answer only little more is sent. A key that arrives is always answered by a frame at once.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Final

from cockpit.face.cells import Encoder, Frame

PIECE: Final = 512
PATIENCE_S: Final = 3.0
ASK: Final = "\x1b[?2026$p"
ASK_OTHERWISE: Final = "\x1b[?2048$p"
"""Whether the terminal shows a frame as one; and a question whose "no" Textual hears as well, for one that
does not: xterm and many others answer what they do not know."""
ASK_EVERY: Final = 1024
WINDOW: Final = 2048
"""Bytes of frames between two questions, and those that may follow one that was not answered yet."""
HELD_S: Final = 5.0
KEY_S: Final = 1.0
"""For how long an answer is waited for at the most, and for how long nothing is after a key."""
RESET: Final = "\x1b[m"
SYNC_START: Final = "\x1b[?2026h"
SYNC_END: Final = "\x1b[?2026l"
if sys.platform == "linux":
    Watching = selectors.PollSelector
else:
    Watching = selectors.SelectSelector  # elsewhere poll does not know terminals


class Foreign(str):
    """Text that may change the screen: frames before it are void, and after it nothing is known."""


class Link:
    """fd: an open terminal. monotonic: seconds. broken: called from the thread when frames cannot be drawn.

    `dropped` counts the frames that were never drawn, `written` the bytes that the terminal took.
    """

    def __init__(
        self,
        fd: int,
        *,
        encoding: str,
        monotonic: Callable[[], float],
        broken: Callable[[Exception], object],
    ) -> None:
        self.dropped = 0
        self.written = 0
        self._answers = False
        self._whole_frames = False
        self._asked_s: float | None = None
        self._unanswered = 0
        self._hurry_until_s = float("-inf")
        self._monotonic = monotonic
        self._fd, self._own = _without_waiting(fd)
        self._encoding = encoding
        self._broken = broken
        self._encoder: Encoder | None = Encoder()
        self._handed: deque[str | Frame] = deque()
        self._due: deque[str | Frame] = deque()
        self._out = b""
        self._idle = True
        self._ending = False
        self._bell, self._ring = socket.socketpair()
        self._ring.setblocking(False)
        self._thread = Thread(target=self._run, name="cockpit-screen", daemon=True)
        self._thread.start()

    # --- called by the screen's loop, also from a signal handler in the middle of itself -----------------

    def say(self, text: str) -> None:
        """Send text that leaves the cells of the screen as they are; `Foreign` text that may not."""
        self._handed.append(text)
        self._wake()

    def show(self, frame: Frame) -> None:
        """Show a frame as soon as the terminal can take it, unless a newer one comes first."""
        with suppress(IndexError):  # the thread took it meanwhile
            last = self._handed.pop()
            if isinstance(last, Frame):
                self.dropped += 1
            else:
                self._handed.append(last)
        self._handed.append(frame)
        self._wake()

    def answered(self, *, whole_frames: bool = True) -> bool:
        """The terminal answered, and has got all that was sent before. Whether it is the first time.

        whole_frames: the answer to `ASK`; else a "no" to the other question, which one that said yes to the
        first is never asked here. From the thread that reads keys, as is `hurry`.
        """
        if self._whole_frames and not whole_frames:
            return True
        first = not self._answers or self._whole_frames != whole_frames
        self._whole_frames, self._answers, self._asked_s = whole_frames, True, None
        self._wake()
        return first

    def hurry(self) -> None:
        """A key arrived, or the focus: somebody is there to see the next frames."""
        now_s = self._monotonic()
        self._hurry_until_s = now_s + KEY_S
        if self._asked_s is not None and now_s - self._asked_s >= HELD_S:
            # it types and does not answer: another terminal
            self._answers, self._whole_frames, self._asked_s = False, False, None
        self._wake()

    @property
    def behind(self) -> bool:
        """Whether the terminal has not taken everything yet."""
        return bool(self._handed or self._due or not self._idle) and self.alive

    @property
    def idle(self) -> bool:
        """Whether nothing can be sent now: all is, or the rest waits for the terminal to answer."""
        return self._idle and not self._handed

    @property
    def alive(self) -> bool:
        """Whether anything still goes to the terminal."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Wait until all is sent, for as long as the terminal takes anything at all."""
        self._ending = True
        self._wake()
        before = -1
        while self.alive and self.written != before:
            before = self.written
            self._thread.join(PATIENCE_S)
        self._ring.close()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it is awake; closed: it has ended
            self._ring.send(b".")

    # --- the thread -----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with Watching() as watching:
                watching.register(self._bell, selectors.EVENT_READ)
                while self._turn(watching):
                    pass
        except OSError:
            self._handed.clear()  # the terminal is gone, and who watches over it is told by the kernel
        finally:
            self._bell.close()
            if self._own:
                os.close(self._fd)

    def _turn(self, watching: selectors.BaseSelector) -> bool:
        """A round that its own fault does not end: a screen that stands still would look like calm.

        Raises what goes wrong once frames are not drawn here any more, and OSError when the terminal is gone.
        """
        try:
            return self._pump(watching)
        except OSError:
            raise
        except Exception as error:  # whatever it is, plain output is the way out
            if self._encoder is None:
                raise
            self._out, self._encoder = self._out + RESET.encode(), None
            self._broken(error)
            return True

    def _pump(self, watching: selectors.BaseSelector) -> bool:
        """One round; whether there may be more."""
        self._idle = False
        self._sort()
        if not self._out:
            self._out = self._next()
        if not self._out and self._ending and not self._handed:
            return False
        self._idle = not self._out
        if self._out:
            watching.register(self._fd, selectors.EVENT_WRITE)
        try:
            ready = {key.fd for key, _ in watching.select(self._wait_s())}
        finally:
            if self._out:
                watching.unregister(self._fd)
        if self._bell.fileno() in ready:
            self._bell.recv(4096)
        if self._fd in ready:
            with suppress(BlockingIOError):
                taken = os.write(self._fd, self._out[:PIECE])
                self._out = self._out[taken:]
                self.written += taken
        return True

    def _sort(self) -> None:
        """Take what was handed over: the newest frame alone stays, and none from before foreign text."""
        while (new := self._taken()) is not None:
            if isinstance(new, Frame | Foreign):
                stay = [each for each in self._due if not isinstance(each, Frame)]
                self.dropped += len(self._due) - len(stay)
                self._due = deque(stay)
            self._due.append(new)

    def _taken(self) -> str | Frame | None:
        """The oldest that was handed over; `show` may take the last one back at any moment."""
        try:
            return self._handed.popleft()
        except IndexError:
            return None

    def _next(self) -> bytes:
        """What is due next, as bytes; a frame stays while too much is unanswered."""
        due, self._due = self._due, deque[str | Frame]()
        held, parts = self._wait_s() is not None, []
        for each in due:
            if not isinstance(each, Frame):
                parts.append(self._said(each))
            elif held:
                self._due.append(each)
            else:
                parts.append(self._drawn(each))
        return "".join(parts).encode(self._encoding, "replace")

    def _wait_s(self) -> float | None:
        """For how many seconds frames must wait for an answer, None when they need not."""
        asked_s, now_s = self._asked_s, self._monotonic()
        if asked_s is None or self._unanswered <= WINDOW or now_s < self._hurry_until_s:
            return None
        left_s = asked_s + HELD_S - now_s
        return left_s if left_s > 0 else None

    def _said(self, text: str) -> str:
        if isinstance(text, Foreign) and self._encoder is not None:
            return self._encoder.forget() + text
        return text

    def _drawn(self, frame: Frame) -> str:
        if self._encoder is None:
            return ""
        try:
            text = self._encoder.draw(frame)
        except Exception as error:  # whatever it is, the screen goes on without this encoder
            self._encoder = None
            self._broken(error)
            return RESET
        if not self._answers:
            return text
        self._unanswered += len(text)
        whole = SYNC_START + text + SYNC_END if self._whole_frames and len(text) > PIECE else text
        return whole + self._question(len(text))

    def _question(self, size: int) -> str:
        """Behind a frame of this size: a question, when one is due."""
        asked_s, now_s = self._asked_s, self._monotonic()  # the answer may come in between
        if asked_s is None:
            if self._unanswered < ASK_EVERY:
                return ""
            self._unanswered = size
        elif now_s - asked_s < HELD_S:
            return ""
        self._asked_s = now_s
        return ASK if self._whole_frames else ASK_OTHERWISE


def _without_waiting(fd: int) -> tuple[int, bool]:
    """A descriptor of the same terminal that never blocks, and whether it was opened here.

    The one that was handed in is shared with the shell: setting it not to block would change that, too. Where
    the terminal cannot be opened again (`su`, some containers) small pieces to a ready terminal have to do.
    """
    with suppress(OSError):
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), True
    return fd, False
