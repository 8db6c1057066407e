"""The Textual app: paints what the port shows, by the clock it is handed, and turns keys into commands.

It owns no state of the flight and waits for nothing: a stalled terminal stalls this app alone, never
the engine. Every key goes through one method, so that a key, the palette and a read-only picture agree.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final
from uuid import uuid4

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.screen import Screen

from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command, CommandState, PollNow
from cockpit.core.snapshot import Snapshot
from cockpit.face.actions import ACTIONS, BY_ID
from cockpit.face.cell_diff import CellDiffApp
from cockpit.face.crash import write_crash
from cockpit.face.dressing import Dressing
from cockpit.face.keys import why_not
from cockpit.face.leftovers import DROP_EVERY_S, drop_leftovers
from cockpit.face.panels.panel import Picture
from cockpit.face.port import Port
from cockpit.face.screens.deck import DeckScreen, Frame
from cockpit.face.screens.live import Live
from cockpit.face.themes import Inks
from cockpit.face.view import Line, Role
from cockpit.face.view_journal import command_line
from cockpit.face.view_lines import unfolded

if TYPE_CHECKING:
    from cockpit.face.doors import Doors

TICK_S: Final = 1.0
COOL_DOWN_S: Final = 0.1
NOTICE_S: Final = 8.0
PAUSE_S: Final = 0.002
PAGES: Final = (
    *(f"screens.{name}" for name in ("reason", "rollback_sheet", "countdown", "quit", "detail")),
    *("view_sheets", "doors", "view_summary"),
)
"""What opens from the deck, with all that it needs: loaded one by one as soon as the deck stands, because a
rollback must not wait for it either. What a page needs comes before the page."""


def _app_bindings() -> list[BindingType]:
    return [
        Binding(",".join(action.keys), f"act('{action.id}')", action.title, show=False, priority=True)
        for action in ACTIONS
        if action.everywhere
    ]


class CockpitApp(CellDiffApp):
    """The cockpit's screen.

    operator: the name that commands carry. theme_dir: a directory of more themes, watched for changes.
    theme: the theme to wear; None picks one that suits the terminal. crash_dir: where details of a
    crash go, readable by their owner only. standing: called once, when the deck was handed to the terminal.
    """

    CSS_PATH = "cockpit.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = _app_bindings()

    def __init__(
        self,
        port: Port,
        clock: Clock,
        operator: str,
        *,
        theme_dir: Path | None = None,
        theme: str | None = None,
        mouse: bool = False,
        crash_dir: Path | None = None,
        standing: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.port = port
        self.clock = clock
        self.operator = operator
        self.deck = DeckScreen(self.refresh_picture, self._record_trouble, clock.monotonic)
        self.troubles: list[str] = []
        self._mouse = mouse
        self._crash_dir = crash_dir
        self._standing = standing
        self._stands = False
        self._dressing = Dressing(self, asked=theme, extra=theme_dir)
        self._still: Picture | None = None
        self._notice: tuple[Line, float] | None = None
        self._command_states = {status.id: status.state for status in port.latest().commands}
        self._countdowns_shown: set[str] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._woken = False
        self._cooling = False
        self._again = False
        self.acts = self._make_acts()

    def fly(self) -> int:
        """Run until the person leaves; the process's exit code."""
        self.run(mouse=self._mouse)
        return self.return_code or 0

    # --- life -------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        return self.deck

    def on_mount(self) -> None:
        self._unsubscribe = self.port.subscribe(self._wake)
        self.set_interval(TICK_S, self.refresh_picture)
        self.set_interval(DROP_EVERY_S, drop_leftovers)
        self._say_plain()

    def post_display_hook(self) -> None:
        """Textual calls it after every painting; the first whole one sets off what has time until then."""
        if self._stands or not (self.deck.stands or self.screen is not self.deck):
            return
        self._stands = True
        if self._standing is not None:
            self._standing()
        self._load_pages(PAGES)
        self._dressing.watch(lambda: self.call_later(self._reload_themes))
        self._say_theme_problems()

    def _load_pages(self, names: Sequence[str]) -> None:
        """The next page; keys have the word between two."""
        import_module(f"cockpit.face.{names[0]}")
        if names[1:]:
            self.set_timer(PAUSE_S, partial(self._load_pages, names[1:]))

    def refresh_css(self, animate: bool = True) -> None:
        """Putting a theme on asks for it before there is a screen: the stylesheet is still to be parsed then,
        and need not be twice."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            self.stylesheet.set_variables(self.get_css_variables())

    @cached_property
    def doors(self) -> Doors:
        from cockpit.face.doors import Doors

        return Doors(self)

    def on_unmount(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._dressing.stop()

    def _wake(self) -> None:
        """Called by the engine after a new snapshot: one message, however many snapshots; returns at once."""
        if not self._woken:
            self._woken = True
            self.call_later(self._arrived)

    def _arrived(self) -> None:
        """Paint now, or once more after the cool-down when snapshots come faster than eyes."""
        self._woken = False
        if self._cooling:
            self._again = True
            return
        self._cooling = True
        self.set_timer(COOL_DOWN_S, self._cooled)
        self.refresh_picture()

    def _cooled(self) -> None:
        self._cooling = False
        if self._again:
            self._again = False
            self._arrived()

    def refresh_picture(self) -> None:
        """Ask the view again with the clock: ages and countdown move although nothing arrives."""
        if not self.screen_stack:
            return  # leaving: a snapshot that came last finds no screen any more
        live = Picture(self.port.latest(), self.clock.now())
        self._notice_commands(live.snapshot)
        if self._notice is not None and self.clock.monotonic() >= self._notice[1]:
            self._notice = None
        notice = self._notice[0] if self._notice is not None else ()
        if self.screen is self.deck:
            self.deck.show(Frame(live=live, shown=self._still or live, notice=notice))
        self._show_new_rollback(live.snapshot)

    # --- words to the person ------------------------------------------------------------------------

    def say(self, words: Line) -> None:
        """One line above the keys for some seconds; over a sheet, a notice in the corner."""
        self._notice = (words, self._notice_end())
        if self.screen is self.deck:
            self.refresh_picture()
        else:
            self.notify("".join(text for text, _ in words).strip(), markup=False)

    def _notice_end(self) -> float:
        return self.clock.monotonic() + NOTICE_S

    def _notice_commands(self, snapshot: Snapshot) -> None:
        """Say what became of every command, once per state."""
        for status in snapshot.commands:
            if self._command_states.get(status.id) is not status.state:
                self._command_states[status.id] = status.state
                if status.state is not CommandState.RUNNING:
                    self._notice = (command_line(status, self.size.width), self._notice_end())

    # --- keys -----------------------------------------------------------------------------------------

    async def on_event(self, event: Event) -> None:
        """A key on the deck is one of the deck or of the app, whatever has the focus: it need not come back
        here from the panel through four queues. So is one on a sheet that has nothing to type into."""
        new_key = isinstance(event, Key) and not event.is_forwarded
        if isinstance(event, Key) and new_key and self.screen_stack and self._heard_at_once(event):
            self.app_focus = True
            for first in (True, False):
                if await self._check_bindings(event.key, priority=first):
                    return
        await super().on_event(event)

    def _heard_at_once(self, key: Key) -> bool:
        screen = self.screen
        return screen is self.deck or (isinstance(screen, Live) and screen.hear(key))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A sheet that has a meaning of its own for a key gets that key."""
        if action == "act" and self.screen is not self.deck and parameters:
            keys = BY_ID[str(parameters[0])].keys
            return not any(key in _own_keys(self.screen) for key in keys)
        return True

    def action_act(self, action_id: str) -> None:
        """Do a named action, or say why not."""
        action = BY_ID[action_id]
        reason = why_not(action, self.port.latest())
        if reason:
            self.say(((f" {action.title}: not now, ", Role.STRONG), (reason, Role.WARN)))
        else:
            self.acts[action_id]()

    def action_help_quit(self) -> None:
        """ctrl+c."""
        self.say(((" ctrl+c does nothing here: ", Role.STRONG), ("q quits, ? helps", Role.TEXT)))

    def _make_acts(self) -> dict[str, Callable[[], None]]:
        deck = self.deck
        return {
            "rollback.open": lambda: self.doors.rollback(),
            "rollout.advance": lambda: self.doors.advance(),
            "rollout.hold": lambda: self.doors.hold(),
            "verdict.override": lambda: self.doors.override(),
            "checklist.sign": lambda: self.doors.sign(),
            "plan.review": lambda: self.doors.plan_change(),
            "driver.take": lambda: self.doors.seat(),
            "note.add": lambda: self.doors.note(),
            "detail.open": lambda: self.doors.detail(),
            "poll.now": self._poll_now,
            "view.pause": self._pause,
            "copy.row": self._copy_row,
            "copy.summary": self._copy_summary,
            "panel.zoom": deck.zoom,
            "panel.flags": lambda: deck.look_at(deck.rollout),
            "panel.health": lambda: deck.look_at(deck.backends),
            "panel.signals": lambda: deck.look_at(deck.signals),
            "panel.parity": lambda: deck.look_at(deck.parity),
            "panel.checklist": lambda: deck.look_at(deck.checklist),
            "panel.journal": lambda: deck.look_at(deck.journal),
            "panel.next": lambda: deck.turn(1),
            "panel.previous": lambda: deck.turn(-1),
            "command.open": lambda: self.doors.palette(),
            "help.open": lambda: self.doors.help(),
            "theme.next": self._next_theme,
            "screen.again": self.paint_again,
            "quit.ask": lambda: self.doors.quit(),
            "quit.now": lambda: self.doors.quit(),
            "back": self._back,
        }

    def _show_new_rollback(self, snapshot: Snapshot) -> None:
        """A rollback that opens, or was open at the start, shows its countdown once by itself."""
        rollback = snapshot.rollback
        if rollback is None or not rollback.open or rollback.id in self._countdowns_shown:
            return
        if self.screen is self.deck:
            self.doors.countdown()
        elif not self.doors.on_countdown:
            return
        self._countdowns_shown.add(rollback.id)

    # --- small acts ------------------------------------------------------------------------------------

    def send(self, command: Command) -> None:
        self.port.submit(command)
        self.refresh_picture()

    def _poll_now(self) -> None:
        self.send(PollNow(id=str(uuid4()), by=self.operator))

    def _pause(self) -> None:
        picture = Picture(self.port.latest(), self.clock.now())
        self._still = None if self._still is not None else picture
        self.refresh_picture()

    def _back(self) -> None:
        """Escape on the deck: back from a zoom or a pause, nothing else."""
        if self.deck.zoomed is not None:
            self.deck.zoom()
        elif self._still is not None:
            self._pause()

    def _copy_row(self) -> None:
        from cockpit.face.view_detail import detail_text

        subject = self.deck.subject
        if subject is not None:
            text = detail_text(subject, self.port.latest(), self.clock.now())
            self._copy("Copied row", tuple(text.splitlines()))

    def _copy_summary(self) -> None:
        from cockpit.face.view_summary import summary_lines

        self._copy("Copied summary", summary_lines(self.port.latest(), self.clock.now()))

    def _copy(self, title: str, lines: tuple[str, ...]) -> None:
        """Copy by the terminal's own means, which nobody can check: so the text is shown as well."""
        from cockpit.face.screens.sheet import COPIED, PageScreen

        self.copy_to_clipboard("\n".join(lines))

        def shown(_snapshot: Snapshot, _now: datetime, width: int) -> tuple[Line, ...]:
            return tuple(((part, Role.TEXT),) for line in lines for part in unfolded(line, width))

        self.push_screen(PageScreen(self.port, self.clock, title=title, words=shown, note=COPIED))

    # --- themes ------------------------------------------------------------------------------------------

    def _next_theme(self) -> None:
        skin = self._dressing.next()
        self.say(((" theme: ", Role.DIM), (skin.title, Role.STRONG)))

    def _reload_themes(self) -> None:
        self._dressing.reload()
        self._say_theme_problems()

    def _say_theme_problems(self) -> None:
        problems = self._dressing.problems
        if problems:
            more = f" (+{len(problems) - 1} more)" if len(problems) > 1 else ""
            self.say(((" theme: ", Role.STRONG), (f"{problems[0]}{more}", Role.WARN)))

    @property
    def inks(self) -> Inks:
        return self._dressing.inks

    # --- output ------------------------------------------------------------------------------------------

    def _say_plain(self) -> None:
        if self.plain_because:
            self.say(((" plain output: ", Role.STRONG), (self.plain_because, Role.WARN)))

    def on_plain(self, error: Exception) -> None:
        write_crash(error, self._crash_dir)
        self._say_plain()

    # --- the worst ------------------------------------------------------------------------------------------

    def _record_trouble(self, error: Exception) -> None:
        """A part of the deck could not be drawn: details to a private file, once per kind of trouble."""
        what = f"{type(error).__name__}: {clean_text(error)}"
        if what not in self.troubles:
            self.troubles.append(what)
            where = write_crash(error, self._crash_dir)
            self._notice = (
                ((" drawing failed, details: ", Role.STRONG), (where, Role.WARN)),
                self._notice_end(),
            )

    def _fatal_error(self) -> None:
        """A crash of the screen: a clean message here, the traceback without variables in a private file."""
        error = sys.exc_info()[1]
        where = write_crash(error, self._crash_dir)
        name = type(error).__name__ if error is not None else "unknown"
        message = f"cockpit: the screen failed ({name}). The engine is not the screen. Details: {where}"
        self._exit_renderables.append(Text(message))
        self._close_messages_no_wait()


def _own_keys(screen: Screen[object]) -> frozenset[str]:
    """The keys that a screen's classes bind for themselves."""
    keys: set[str] = set()
    for base in type(screen).__mro__:
        for binding in base.__dict__.get("BINDINGS", ()):
            key = binding.key if isinstance(binding, Binding) else binding[0]
            keys.update(part.strip() for part in key.split(","))
    return frozenset(keys)
