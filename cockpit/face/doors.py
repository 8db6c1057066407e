"""The doors from the deck to every other screen: which opens, with what, and what its answer leads to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from cockpit.core.commands import AddNote, Command
from cockpit.core.model import Verdict
from cockpit.face.screens.advance import AdvanceSheet, HoldSheet
from cockpit.face.screens.countdown import CountdownScreen
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
from cockpit.face.screens.sign import SignSheet
from cockpit.face.subject import Topic
from cockpit.face.view import Role
from cockpit.face.view_sheets import can_widen

if TYPE_CHECKING:
    from cockpit.face.app import CockpitApp


class Doors:
    """Used by the app that owns it, once it has its port, clock, operator and deck."""

    def __init__(self, app: CockpitApp) -> None:
        self._app = app
        self._show = app.port, app.clock
        self._act = app.port, app.clock, app.operator

    @property
    def on_countdown(self) -> bool:
        return isinstance(self._app.screen, CountdownScreen)

    def rollback(self) -> None:
        """The sheet that declares; with a rollback open, its countdown, and on it the sheet that widens."""
        snapshot = self._app.port.latest()
        widens = self.on_countdown and can_widen(snapshot) and not snapshot.read_only
        if self.rollback_open() and not widens:
            self.countdown()
        elif not isinstance(self._app.screen, RollbackSheet):
            flag = self._app.deck.rollout.chosen_key
            self._app.push_screen(RollbackSheet(*self._act, focused=flag))

    def countdown(self) -> None:
        if not self.on_countdown:
            self._app.push_screen(CountdownScreen(*self._act))

    def seat(self) -> None:
        """From the countdown, too: the answer then stands on the countdown, which covers the deck's line."""
        below = self._app.screen

        def asked(command: Command | None) -> None:
            if command is not None and isinstance(below, CountdownScreen):
                below.follow(command, "driver's seat")

        self._app.push_screen(SeatSheet(*self._act), asked)

    def advance(self) -> None:
        """The next stage of the chosen flag; while a move waits for people, that one."""
        request = self._app.port.latest().request
        if request is not None:
            self._app.push_screen(RequestSheet(*self._act, request))
            return
        flag = self._app.deck.rollout.chosen_key
        if flag is not None:
            self._app.push_screen(AdvanceSheet(*self._act, flag))

    def hold(self) -> None:
        flag = self._app.deck.rollout.chosen_key
        if flag is not None:
            self._app.push_screen(HoldSheet(*self._act, flag))

    def plan_change(self) -> None:
        self._app.push_screen(PlanChangeSheet(*self._act))

    def quit(self) -> None:
        """Leave; with a rollback open, say what goes on without the person and ask."""
        if not self.rollback_open() or self._app.port.latest().read_only:
            self._app.exit()
        elif not isinstance(self._app.screen, QuitSheet):
            self._app.push_screen(QuitSheet(*self._show), self._leave)

    def _leave(self, sure: bool | None) -> None:
        if sure:
            self._app.exit()

    def rollback_open(self) -> bool:
        rollback = self._app.port.latest().rollback
        return rollback is not None and rollback.open

    def help(self) -> None:
        if not isinstance(self._app.screen, HelpScreen):
            self._app.push_screen(HelpScreen(*self._show))

    def palette(self) -> None:
        self._app.push_screen(PaletteScreen(self._app.port), self._run_chosen)

    def _run_chosen(self, action_id: str | None) -> None:
        if action_id is not None:
            self._app.action_act(action_id)

    def detail(self) -> None:
        subject = self._app.deck.subject
        if subject is not None:
            self._app.push_screen(DetailScreen(*self._show, subject=subject))

    def override(self) -> None:
        """The chosen signal where it is UNDECIDED, else the first that is, for the chosen flag."""
        undecided = [
            signal.name
            for signal in self._app.port.latest().signals
            if signal.evidence.verdict is Verdict.UNDECIDED
        ]
        chosen, flag = self._app.deck.signals.chosen_key, self._app.deck.rollout.chosen_key
        if flag is not None and undecided:
            signal = chosen if chosen in undecided else undecided[0]
            sheet = OverrideSheet(*self._act, flag=flag, signal=signal)
            self._app.push_screen(sheet)

    def sign(self) -> None:
        """The chosen check; without one, the checklist to choose from."""
        subject = self._app.deck.subject
        items = {item.name: item for item in self._app.port.latest().checklist}
        if subject is None or subject.topic is not Topic.ITEM:
            self._app.deck.look_at(self._app.deck.checklist)
        elif subject.key not in items:
            self._app.say(((" choose a check first", Role.STRONG),))
        else:
            self._app.push_screen(SignSheet(*self._act, items[subject.key]))

    def note(self) -> None:
        field = Field(name="note", label="note", required=True)
        self._app.push_screen(Form(*self._show, title="NOTE", fields=(field,)), self._note_given)

    def _note_given(self, answers: Answers | None) -> None:
        if answers is not None:
            self._app.send(AddNote(id=str(uuid4()), by=self._app.operator, text=answers["note"]))
