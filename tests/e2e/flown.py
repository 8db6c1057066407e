"""A cockpit that flies a stage in a real terminal: its screen, its published picture, its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cockpit.core.snapshot import Snapshot
from cockpit.engine.journal_port import JournalFailure
from cockpit.engine.paths import journal_path
from cockpit.engine.published import decode
from tests.e2e.conftest import Stage
from tests.e2e.terminal import Terminal, wait_until
from tests.e2e.wire import findings

ENTER, ESCAPE, UP, DOWN = "\r", "\x1b", "\x1b[A", "\x1b[B"


class Flown:
    """`terminal` runs a cockpit on `stage`."""

    def __init__(self, stage: Stage, terminal: Terminal) -> None:
        self.stage = stage
        self.terminal = terminal

    def picture(self) -> Snapshot | None:
        """What the cockpit published last; None before there is any."""
        if not journal_path(self.stage.plan_path, self.stage.env).exists():
            return None
        journal = self.stage.journal()
        try:
            found = journal.latest_published()
        except JournalFailure:
            return None
        finally:
            journal.close()
        return None if found is None else decode(found[0])

    def wait_for(self, condition: Callable[[Snapshot], object], what: str) -> Snapshot:
        """The first picture that fits."""
        fitting: list[Snapshot] = []

        def look() -> bool:
            assert self.terminal.process.poll() is None, f"ended before {what}:\n{self.terminal.text}"
            picture = self.picture()
            if picture is not None and condition(picture):
                fitting.append(picture)
            return bool(fitting)

        try:
            wait_until(look, what, 45)
        except AssertionError:
            raise AssertionError(f"never: {what}\n{self.terminal.text}") from None
        return fitting[0]

    def wait_until_well(self) -> None:
        self.wait_for(lambda picture: not picture.reasons, "all is well")

    def shows(self, *texts: str) -> None:
        for text in texts:
            self.terminal.expect(text, 20)

    def wander(self) -> None:
        """Through every screen that needs no rollback, and back to the deck."""
        self.page("?", "Act (capitals touch")
        self.page(":", "type a part of a name")
        self.page("R", "press R to roll back")
        for panel, title in (("1", "Flag chat_"), ("2", "Probe "), ("3", "Signal "), ("6", "Journal entry ")):
            self.press(panel)
            self.page(ENTER, title)

    def page(self, key: str, text: str) -> None:
        """Open a page, see it, close it."""
        self.press(key)
        self.terminal.expect(text, 20)
        self.close(text)

    def close(self, text: str) -> None:
        """Leave the page that says this. A key right behind an escape would be taken for alt and that key."""
        self.press(ESCAPE)
        wait_until(lambda: text not in self.terminal.text, f"{text} is closed", 20)

    def press(self, keys: str) -> None:
        self.terminal.press(keys)

    def clean(self, *, copied: bool = False) -> None:
        """It lives, and nothing but our own sequences reached the terminal."""
        assert self.terminal.process.poll() is None, self.terminal.text
        assert findings(bytes(self.terminal.raw), copied=copied) == []


@contextmanager
def flown(stage: Stage, *, columns: int = 120, rows: int = 40) -> Iterator[Flown]:
    with Terminal(stage.command("fly"), env=stage.env, columns=columns, rows=rows) as terminal:
        terminal.expect("data live")
        yield Flown(stage, terminal)
