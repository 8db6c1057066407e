"""The Textual app: paints what the port shows, by the clock it is handed, and turns keys into commands.

It owns no state of the flight and waits for nothing: a stalled terminal stalls this app alone, never
the engine. Every key goes through one method, so that a key, the palette and a read-only picture agree.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final
from uuid import uuid4

from rich.text import Text
from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen

from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import AddNote, Command, CommandState, PollNow
from cockpit.core.model import Verdict
from cockpit.core.snapshot import Snapshot
from cockpit.face.actions import ACTIONS, BY_ID
from cockpit.face.crash import write_crash
from cockpit.face.dressing import Dressing
from cockpit.face.keys import why_not
from cockpit.face.panels.panel import Picture
from cockpit.face.port import Port
from cockpit.face.screens.advance import AdvanceSheet, HoldSheet
from cockpit.face.screens.countdown import CountdownScreen
from cockpit.face.screens.deck import DeckScreen, Frame
from cockpit.face.screens.detail import DetailScreen
from cockpit.face.screens.help import HelpScreen
from cockpit.face.screens.override import OverrideSheet
from cockpit.face.screens.palette import PaletteScreen
from cockpit.face.screens.plan_change import PlanChangeSheet
from cockpit.face.screens.quit import QuitSheet
from cockpit.face.screens.reason import Answers, Field, Form
from cockpit.face.screens.request import RequestSheet
from cockpit.face.screens.rollback_sheet import RollbackSheet
from cockpit.face.screens.seat_sheet import SeatSheet
from cockpit.face.screens.sheet import PageScreen
from cockpit.face.screens.sign import SignSheet
from cockpit.face.themes import Inks
from cockpit.face.view import Line, Role
from cockpit.face.view_detail import Topic, detail_text
from cockpit.face.view_journal import command_line
from cockpit.face.view_sheets import can_widen
from cockpit.face.view_summary import summary_lines

TICK_S: Final = 1.0
COOL_DOWN_S: Final = 0.1
NOTICE_S: Final = 8.0


def _app_bindings() -> list[BindingType]:
    return [
        Binding(",".join(action.keys), f"act('{action.id}')", action.title, show=False, priority=True)
        for action in ACTIONS
        if action.everywhere
    ]


class CockpitApp(App[None]):
    """The cockpit's screen.

    operator: the name that commands carry. theme_dir: a directory of more themes, watched for changes.
    theme: the theme to wear; None picks one that suits the terminal. crash_dir: where details of a
    crash go, readable by their owner only.
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
    ) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.port = port
        self.clock = clock
        self.operator = operator
        self.deck = DeckScreen(self.refresh_picture, self._record_trouble)
        self.troubles: list[str] = []
        self._mouse = mouse
        self._crash_dir = crash_dir
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
        self._dressing.watch(lambda: self.call_later(self._reload_themes))
        self._say_theme_problems()

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
            "rollback.open": self.open_rollback_sheet,
            "rollout.advance": self.open_advance,
            "rollout.hold": self.open_hold,
            "verdict.override": self._override_verdict,
            "checklist.sign": self._sign_check,
            "plan.review": self.open_plan_change,
            "driver.take": self.open_seat,
            "note.add": self._add_note,
            "detail.open": self._open_detail,
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
            "command.open": self._open_palette,
            "help.open": self._open_help,
            "theme.next": self._next_theme,
            "quit.ask": self.open_quit,
            "quit.now": self.open_quit,
            "back": self._back,
        }

    # --- the other screens --------------------------------------------------------------------------

    def open_rollback_sheet(self) -> None:
        """The sheet that declares; with a rollback open, its countdown, and on it the sheet that widens."""
        snapshot = self.port.latest()
        widens = isinstance(self.screen, CountdownScreen) and can_widen(snapshot) and not snapshot.read_only
        if self._rollback_open() and not widens:
            self.open_countdown()
        elif not isinstance(self.screen, RollbackSheet):
            flag = self.deck.rollout.chosen_key
            self.push_screen(RollbackSheet(self.port, self.clock, self.operator, focused=flag))

    def open_countdown(self) -> None:
        if not isinstance(self.screen, CountdownScreen):
            self.push_screen(CountdownScreen(self.port, self.clock, self.operator))

    def open_seat(self) -> None:
        """From the countdown, too: the answer then stands on the countdown, which covers the deck's line."""
        below = self.screen

        def asked(command: Command | None) -> None:
            if command is not None and isinstance(below, CountdownScreen):
                below.follow(command, "driver's seat")

        self.push_screen(SeatSheet(self.port, self.clock, self.operator), asked)

    def open_advance(self) -> None:
        """The next stage of the chosen flag; while a move waits for people, that one."""
        request = self.port.latest().request
        if request is not None:
            self.push_screen(RequestSheet(self.port, self.clock, self.operator, request))
            return
        flag = self.deck.rollout.chosen_key
        if flag is not None:
            self.push_screen(AdvanceSheet(self.port, self.clock, self.operator, flag))

    def open_hold(self) -> None:
        flag = self.deck.rollout.chosen_key
        if flag is not None:
            self.push_screen(HoldSheet(self.port, self.clock, self.operator, flag))

    def open_plan_change(self) -> None:
        self.push_screen(PlanChangeSheet(self.port, self.clock, self.operator))

    def open_quit(self) -> None:
        """Leave; with a rollback open, say what goes on without the person and ask."""
        if not self._rollback_open() or self.port.latest().read_only:
            self.exit()
        elif not isinstance(self.screen, QuitSheet):
            self.push_screen(QuitSheet(self.port, self.clock), self._leave)

    def _leave(self, sure: bool | None) -> None:
        if sure:
            self.exit()

    def _rollback_open(self) -> bool:
        rollback = self.port.latest().rollback
        return rollback is not None and rollback.open

    def _show_new_rollback(self, snapshot: Snapshot) -> None:
        """A rollback that opens, or was open at the start, shows its countdown once by itself."""
        rollback = snapshot.rollback
        if rollback is None or not rollback.open or rollback.id in self._countdowns_shown:
            return
        if self.screen is self.deck:
            self.open_countdown()
        elif not isinstance(self.screen, CountdownScreen):
            return
        self._countdowns_shown.add(rollback.id)

    def _open_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.port, self.clock))

    def _open_palette(self) -> None:
        self.push_screen(PaletteScreen(self.port), self._run_chosen)

    def _run_chosen(self, action_id: str | None) -> None:
        if action_id is not None:
            self.action_act(action_id)

    def _open_detail(self) -> None:
        subject = self.deck.subject
        if subject is not None:
            self.push_screen(DetailScreen(self.port, self.clock, subject=subject))

    def _override_verdict(self) -> None:
        """The chosen signal where it is UNDECIDED, else the first that is, for the chosen flag."""
        undecided = [
            signal.name
            for signal in self.port.latest().signals
            if signal.evidence.verdict is Verdict.UNDECIDED
        ]
        chosen, flag = self.deck.signals.chosen_key, self.deck.rollout.chosen_key
        if flag is not None and undecided:
            signal = chosen if chosen in undecided else undecided[0]
            sheet = OverrideSheet(self.port, self.clock, self.operator, flag=flag, signal=signal)
            self.push_screen(sheet)

    def _sign_check(self) -> None:
        """The chosen check; without one, the checklist to choose from."""
        subject = self.deck.subject
        items = {item.name: item for item in self.port.latest().checklist}
        if subject is None or subject.topic is not Topic.ITEM:
            self.deck.look_at(self.deck.checklist)
        elif subject.key not in items:
            self.say(((" choose a check first", Role.STRONG),))
        else:
            self.push_screen(SignSheet(self.port, self.clock, self.operator, items[subject.key]))

    def _add_note(self) -> None:
        field = Field(name="note", label="note", required=True)
        self.push_screen(Form(self.port, self.clock, title="NOTE", fields=(field,)), self._note_given)

    def _note_given(self, answers: Answers | None) -> None:
        if answers is not None:
            self._submit(AddNote(id=str(uuid4()), by=self.operator, text=answers["note"]))

    # --- small acts ------------------------------------------------------------------------------------

    def _submit(self, command: Command) -> None:
        self.port.submit(command)
        self.refresh_picture()

    def _poll_now(self) -> None:
        self._submit(PollNow(id=str(uuid4()), by=self.operator))

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
        subject = self.deck.subject
        if subject is not None:
            text = detail_text(subject, self.port.latest(), self.clock.now())
            self._copy("Copied row", tuple(text.splitlines()))

    def _copy_summary(self) -> None:
        self._copy("Copied summary", summary_lines(self.port.latest(), self.clock.now()))

    def _copy(self, title: str, lines: tuple[str, ...]) -> None:
        """Copy by the terminal's own means, which nobody can check: so the text is shown as well."""
        self.copy_to_clipboard("\n".join(lines))
        shown: tuple[Line, ...] = tuple(((line, Role.TEXT),) for line in lines)
        note = "not in the clipboard? the terminal refused; mark the text above"
        self.push_screen(
            PageScreen(self.port, self.clock, title=title, words=lambda _s, _n, _w: shown, note=note)
        )

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
