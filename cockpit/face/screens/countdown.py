"""The countdown: time, flags, steps, and every key that a rollback needs from a person.

The picture is `view_countdown.lines` of the latest snapshot and the clock; this screen keeps only what a
person did here: the focused step, the last answer, and which declare it waits for. It can be left at any
time: nothing depends on it being open.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Final, Protocol, runtime_checkable

from textual.app import ComposeResult
from textual.binding import BindingType

from cockpit.core.clock import Clock
from cockpit.core.commands import (
    AnswerSickLegacy,
    CancelRollback,
    CloseRollback,
    Command,
    CommandState,
    DeclareRollback,
    DoStep,
    GiveReason,
    OverrideStep,
    PullSecondLever,
    RetryFlag,
)
from cockpit.core.rollback import Rollback, Step
from cockpit.core.snapshot import Snapshot
from cockpit.core.spec import StepKey
from cockpit.face.port import Port
from cockpit.face.screens.live import Live
from cockpit.face.screens.override import step_override
from cockpit.face.screens.reason import Answers, Form, time_line
from cockpit.face.screens.rollback_forms import (
    act,
    by_hand_form,
    cancel_form,
    close_form,
    done_form,
    explain_form,
)
from cockpit.face.screens.sheet import COPIED, PageScreen
from cockpit.face.view import Line, Role
from cockpit.face.view_countdown import (
    Page,
    Watched,
    answer_line,
    followed,
    key_line,
    keys_for,
    lines,
    status_of,
)
from cockpit.face.view_levers import KEY, Offer, chosen, flag_id, not_offered, offers
from cockpit.face.view_lines import row
from cockpit.face.view_needs import asks, cancel_refusal, close_refusal, held, retryable
from cockpit.face.view_result import incident_lines, incident_text
from cockpit.face.view_sheets import can_widen
from cockpit.face.view_steps import first_focus
from cockpit.face.widgets import Paper

QUESTION_READ_S: Final = 0.5
SAID_S: Final = 10.0


@runtime_checkable
class Acting(Protocol):
    """An app that does named actions."""

    def action_act(self, action_id: str) -> None: ...


class CountdownScreen(Live[None]):
    """`declare` is the command that was just submitted here, when it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("enter", "do", "done"),
        ("o", "override", "override"),
        ("e", "explain", "reason, names"),
        ("F", "retry", "retry flag"),
        (KEY, "second_lever", "second lever"),
        ("g", "go", "go anyway"),
        ("h", "hold", "hold"),
        ("c", "cancel", "cancel"),
        ("C", "close", "close"),
        ("R", "again", "roll back"),
        ("D", "named('driver.take')", "driver's seat"),
        ("y", "text", "text"),
        ("up,k", "move(-1)", "step above"),
        ("down,j", "move(1)", "step below"),
        ("pageup", "scroll(-8)", "up"),
        ("pagedown", "scroll(8)", "down"),
        ("escape", "back", "deck"),
        ("n", "named('note.add')", "note"),
        ("t", "named('theme.next')", "theme"),
        ("q", "named('quit.ask')", "quit"),
    ]

    def __init__(
        self, port: Port, clock: Clock, operator: str, *, declare: DeclareRollback | None = None
    ) -> None:
        super().__init__(port, clock)
        self._operator = operator
        self._watched = Watched(
            declare_id=None if declare is None else declare.id,
            declared_at=None if declare is None else clock.now(),
        )
        self._focus = ""
        self._scroll = 0
        self._said: Line = ()
        self._said_at_s = 0.0
        self._asked: tuple[str, str] | None = None
        self._question_since_s: float | None = None

    def compose(self) -> ComposeResult:
        yield Paper(id="countdown")

    # --- the picture ---------------------------------------------------------------------------

    def show(self, snapshot: Snapshot, now: datetime) -> None:
        rollback = followed(snapshot, self._watched)
        self._note(rollback)
        paper = self.query_one("#countdown", Paper)
        width, height = paper.size
        keys = keys_for(
            rollback,
            read_only=snapshot.read_only,
            widens=can_widen(snapshot),
            offered=rollback is not None and bool(offers(rollback, snapshot.flags)),
        )
        paper.write(
            lines(
                Page(
                    snapshot=snapshot,
                    watched=self._watched,
                    now=now,
                    width=width,
                    height=height,
                    focus=self._focused_id(rollback),
                    scroll=self._scroll,
                    said=self._answer(snapshot),
                    keys=key_line(keys, width),
                )
            )
        )

    def _note(self, rollback: Rollback | None) -> None:
        """Remember which rollback this is, and since when its question could be read."""
        if rollback is not None and rollback.id != self._watched.rollback_id:
            self._watched = Watched(rollback_id=rollback.id)
        if rollback is None or not (asks(rollback) or held(rollback)):
            self._question_since_s = None
        elif self._question_since_s is None:
            self._question_since_s = self.clock.monotonic()

    def _focused_id(self, rollback: Rollback | None) -> str:
        if rollback is None or not rollback.open:
            return ""
        known = {step.id for step in rollback.steps} | {flag_id(flag) for flag in rollback.flags}
        return self._focus if self._focus in known else first_focus(rollback.steps)

    def _answer(self, snapshot: Snapshot) -> Line:
        old = self.clock.monotonic() - self._said_at_s > SAID_S
        if self._asked is None:
            return () if old else self._said
        command_id, what = self._asked
        status = status_of(snapshot, command_id)
        done = status is not None and status.state is CommandState.DONE
        return () if old and done else answer_line(status, what)

    def _say(self, text: str, role: Role = Role.WARN) -> None:
        self._asked, self._said = None, row((f" {text}", role))
        self._said_at_s = self.clock.monotonic()
        self.tick()

    # --- acting --------------------------------------------------------------------------------

    def _open_rollback(self) -> Rollback | None:
        """The open rollback that a key may act on; says why there is none."""
        snapshot = self.port.latest()
        if snapshot.read_only:
            self._say("this cockpit only watches")
            return None
        if snapshot.rollback is None or not snapshot.rollback.open:
            self._say("no rollback is open")
            return None
        return snapshot.rollback

    def _submit(self, command: Command, what: str) -> None:
        self.port.submit(command)
        self.follow(command, what)

    def _ask(self, form: Form, answered: Callable[[Answers], None]) -> None:
        asked_of = self.port.latest().rollback

        def receive(answers: Answers | None) -> None:
            rollback = self.port.latest().rollback
            if answers is not None and rollback and asked_of and rollback.id == asked_of.id:
                answered(answers)
            elif answers is not None:
                self._say("that rollback is over: nothing was done", Role.BAD)

        self.app.push_screen(form, receive)

    def _focused_step(self, rollback: Rollback) -> Step | None:
        wanted = self._focused_id(rollback)
        return next((step for step in rollback.steps if step.id == wanted), None)

    def action_do(self) -> None:
        rollback = self._open_rollback()
        step = self._focused_step(rollback) if rollback is not None else None
        if rollback is None or step is None:
            return
        if step.key is StepKey.CLOSE:
            self.action_close()
        elif step.settled:
            self._say(f"{step.title} is settled already")
        elif step.machine:
            self._say(f"{step.title} is settled by evidence, not by hand; o overrides with a reason")
        else:
            self._ask_done(rollback, step)

    def _ask_done(self, rollback: Rollback, step: Step) -> None:
        def answered(answers: Answers) -> None:
            command = DoStep(**act(rollback, self._operator), step=step.id, note=answers["note"])
            self._submit(command, f"done: {step.title}")

        self._ask(done_form(self.port, self.clock, step), answered)

    def action_override(self) -> None:
        rollback = self._open_rollback()
        step = self._focused_step(rollback) if rollback is not None else None
        if rollback is None or step is None:
            return
        if step.settled:
            self._say(f"{step.title} is settled already")
            return
        if not step.machine:
            self._say(f"{step.title} is yours: enter confirms it")
            return

        def answered(answers: Answers) -> None:
            command = OverrideStep(**act(rollback, self._operator), step=step.id, reason=answers["reason"])
            self._submit(command, f"override: {step.title}")

        self._ask(step_override(self.port, self.clock, step), answered)

    def action_explain(self) -> None:
        rollback = self._open_rollback()
        if rollback is None:
            return
        form = explain_form(self.port, self.clock, rollback)

        def answered(answers: Answers) -> None:
            command = GiveReason(
                **act(rollback, self._operator),
                reason=answers["reason"],
                commander=answers["commander"],
                data_owner=answers["data_owner"],
            )
            self._submit(command, "reason and names")

        self._ask(form, answered)

    def action_retry(self) -> None:
        rollback = self._open_rollback()
        if rollback is None:
            return
        refused = retryable(rollback)
        if not refused:
            self._say("no flag waits for a retry: the machine has not used up its own tries")
        for flag in refused:
            self._submit(RetryFlag(**act(rollback, self._operator), flag=flag), f"retry {flag}")

    def action_second_lever(self) -> None:
        rollback = self._open_rollback()
        if rollback is None:
            return
        found = offers(rollback, self.port.latest().flags)
        offer = chosen(found, self._focused_id(rollback))
        if offer is None:
            self._say(not_offered(rollback, self.port.latest().flags, self._focused_id(rollback)))
        elif offer.lever.manual:
            self._ask_by_hand(rollback, offer)
        else:
            command = PullSecondLever(**act(rollback, self._operator), flag=offer.flag)
            self._submit(command, f"second lever of {offer.flag}")

    def _ask_by_hand(self, rollback: Rollback, offer: Offer) -> None:
        def answered(answers: Answers) -> None:
            command = PullSecondLever(**act(rollback, self._operator), flag=offer.flag, note=answers["note"])
            self._submit(command, f"by hand: {offer.flag}")

        self._ask(by_hand_form(self.port, self.clock, offer), answered)

    def action_go(self) -> None:
        self._answer_question(go=True)

    def action_hold(self) -> None:
        self._answer_question(go=False)

    def _answer_question(self, *, go: bool) -> None:
        rollback = self._open_rollback()
        if rollback is None:
            return
        if not (asks(rollback) or held(rollback)):
            self._say("there is no question to answer")
            return
        since_s = self._question_since_s
        if since_s is None or self.clock.monotonic() - since_s < QUESTION_READ_S:
            self._say("read the question first, then press the key again")
            return
        what = "go anyway" if go else "hold"
        self._submit(AnswerSickLegacy(**act(rollback, self._operator), go=go), what)

    def action_cancel(self) -> None:
        rollback = self._open_rollback()
        if rollback is None:
            return
        refusal = cancel_refusal(rollback)
        if refusal:
            self._say(refusal, Role.BAD)
            return
        form = cancel_form(self.port, self.clock)

        def answered(answers: Answers) -> None:
            command = CancelRollback(**act(rollback, self._operator), reason=answers["reason"])
            self._submit(command, "cancel")

        self._ask(form, answered)

    def action_close(self) -> None:
        rollback = self._open_rollback()
        if rollback is None:
            return
        if close_refusal(rollback):
            title = "CANNOT BE CLOSED: these lines are open"
            self.app.push_screen(PageScreen(self.port, self.clock, title=title, words=_open_lines))
            return
        form = close_form(self.port, self.clock)

        def answered(answers: Answers) -> None:
            command = CloseRollback(**act(rollback, self._operator), note=answers["note"])
            self._submit(command, "close")

        self._ask(form, answered)

    def action_again(self) -> None:
        rollback = followed(self.port.latest(), self._watched)
        snapshot = self.port.latest()
        if can_widen(snapshot) and not snapshot.read_only:
            self.action_named("rollback.open")
        elif rollback is not None and rollback.open:
            self._say("declared already: this is its countdown", Role.NOTE)
        else:
            self._say("escape goes to the deck, R there starts a new rollback", Role.NOTE)

    def widen(self, command: DeclareRollback) -> None:
        """Hand over a rollback of more flags; the answer stands on this page."""
        self._submit(command, "widen")

    def follow(self, command: Command, what: str) -> None:
        """A sheet over this page handed over a command: its answer stands here, too."""
        self._asked, self._said = (command.id, what), ()
        self._said_at_s = self.clock.monotonic()
        self.tick()

    def action_text(self) -> None:
        snapshot, now = self.port.latest(), self.clock.now()
        rollback = followed(snapshot, self._watched)
        if rollback is None:
            self._say("no rollback to tell of")
            return
        self.app.copy_to_clipboard(incident_text(rollback, snapshot, now))

        def shown(snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
            newest = followed(snapshot, self._watched) or rollback
            return incident_lines(newest, snapshot, now, width)

        page = PageScreen(self.port, self.clock, title="INCIDENT TEXT", words=shown, note=COPIED)
        self.app.push_screen(page)

    # --- moving --------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        rollback = followed(self.port.latest(), self._watched)
        if rollback is None:
            return
        found = offers(rollback, self.port.latest().flags)
        ids = [*(flag_id(each.flag) for each in found), *(step.id for step in rollback.steps)]
        here = self._focused_id(rollback)
        if here not in ids:
            self.action_scroll(by)
            return
        self._focus = ids[min(max(ids.index(here) + by, 0), len(ids) - 1)]
        self.tick()

    def action_scroll(self, by: int) -> None:
        self._scroll = max(0, self._scroll + by)
        self.tick()

    def action_named(self, action_id: str) -> None:
        """An action of the app that has no meaning of its own here."""
        if isinstance(self.app, Acting):
            self.app.action_act(action_id)

    def action_back(self) -> None:
        self.dismiss(None)


def _open_lines(snapshot: Snapshot, now: datetime, width: int) -> tuple[Line, ...]:
    rollback = snapshot.rollback
    found = close_refusal(rollback) if rollback is not None else ()
    if not found:
        return (*time_line(snapshot, now), (), row(("every line is done now: escape, then C", Role.OK)))
    return (*time_line(snapshot, now), (), *(row(("✗ ", Role.BAD), text) for text in found))
