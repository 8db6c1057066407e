"""Everything a person can do, once: its key, its words, and why it is not possible just now.

Lower case looks, upper case touches. An action that touches has no place in a read-only picture: it is
in no footer and no palette, and its key only says so. `keys` makes footer, help, palette and table of this.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from cockpit.core.dataclass import dataclass
from cockpit.core.model import Mode, Verdict
from cockpit.core.snapshot import Snapshot


class Group(StrEnum):
    ACT = "Act (capitals touch the system)"
    LOOK = "Look"
    MOVE = "Move"
    COCKPIT = "Cockpit"


EVERY_MODE: Final = frozenset(Mode)
FLYING: Final = frozenset(Mode) - {Mode.WATCH}
READ_ONLY: Final = "read-only: nothing in this cockpit can touch a service"


def always(_snapshot: Snapshot) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One named act. keys are Textual key names; everywhere: works over sheets and without focus.

    footer is the rank for one of the footer's seven places, 0 for none. title_now is the title
    where the situation gives the key another meaning.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    group: Group
    tip: str
    modes: frozenset[Mode] = EVERY_MODE
    touches: bool = False
    everywhere: bool = False
    footer: int = 0
    short: str = ""
    why_not: Callable[[Snapshot], str] = always
    title_now: Callable[[Snapshot], str] | None = None

    def named(self, snapshot: Snapshot) -> str:
        return self.title_now(snapshot) if self.title_now is not None else self.title


def rollback_open(snapshot: Snapshot) -> bool:
    return snapshot.rollback is not None and snapshot.rollback.open


def _rollback_title(snapshot: Snapshot) -> str:
    return "Show the rollback" if rollback_open(snapshot) else "Roll back"


def _no_rollback(snapshot: Snapshot) -> str:
    if rollback_open(snapshot):
        return ""
    if snapshot.no_return_at is not None and snapshot.engine_at >= snapshot.no_return_at:
        return "the plan's point of no return lies behind"
    return "" if snapshot.flags else "the plan has no flag"


def _no_forward(snapshot: Snapshot) -> str:
    if rollback_open(snapshot):
        return "a rollback is open"
    if snapshot.request is not None:
        return ""
    seat = snapshot.seat
    if seat is not None and not seat.drives:
        return "nobody drives" if seat.holder is None else f"{seat.holder.name} drives"
    if not snapshot.journal.ok:
        return "the journal cannot be written"
    return (
        "" if any(flag.writable for flag in snapshot.flags) else "no flag can be written with this credential"
    )


NO_CHECKLIST: Final = "the plan has no checklist"


def _advance_title(snapshot: Snapshot) -> str:
    return "Answer what is asked" if snapshot.request is not None else "Advance a flag"


def _no_hold(snapshot: Snapshot) -> str:
    if rollback_open(snapshot):
        return "a rollback is open, every ramp has stopped"
    return "" if snapshot.flags else "the plan has no flag"


def _no_override(snapshot: Snapshot) -> str:
    if rollback_open(snapshot):
        return "a rollback is open"
    undecided = any(signal.evidence.verdict is Verdict.UNDECIDED for signal in snapshot.signals)
    return "" if undecided else "no signal is UNDECIDED"


def _no_checklist(snapshot: Snapshot) -> str:
    return "" if snapshot.checklist else NO_CHECKLIST


def _no_plan_change(snapshot: Snapshot) -> str:
    return "" if snapshot.plan_change is not None else "the plan file has not changed"


ACTIONS: Final = (
    Action(
        id="rollback.open",
        keys=("R",),
        title="Roll back",
        short="Roll back",
        group=Group.ACT,
        tip="open the rollback sheet; R again after half a second of silence declares it",
        modes=FLYING,
        touches=True,
        everywhere=True,
        footer=1,
        why_not=_no_rollback,
        title_now=_rollback_title,
    ),
    Action(
        id="rollout.advance",
        keys=("A",),
        title="Advance a flag",
        short="Advance",
        group=Group.ACT,
        tip="next stage of the chosen flag; lists every open gate, asks for the flag's name; approves, too",
        modes=FLYING,
        touches=True,
        footer=2,
        why_not=_no_forward,
        title_now=_advance_title,
    ),
    Action(
        id="rollout.hold",
        keys=("H",),
        title="Hold or release a flag",
        short="Hold",
        group=Group.ACT,
        tip="stop the ramp of the chosen flag here, with a reason; again to release it",
        modes=FLYING,
        touches=True,
        footer=3,
        why_not=_no_hold,
    ),
    Action(
        id="checklist.sign",
        keys=("S",),
        title="Sign a check",
        group=Group.ACT,
        tip="put your name to the chosen check, with what was seen; on a signed one, withdraw it",
        modes=FLYING,
        touches=True,
        why_not=_no_checklist,
    ),
    Action(
        id="verdict.override",
        keys=("O",),
        title="Override UNDECIDED",
        group=Group.ACT,
        tip="your judgement over the chosen UNDECIDED signal, for one flag's next stage, with a reason",
        modes=FLYING,
        touches=True,
        why_not=_no_override,
    ),
    Action(
        id="plan.review",
        keys=("P",),
        title="Review the changed plan",
        group=Group.ACT,
        tip="see what changed in the plan file, then take it or set it aside",
        modes=FLYING,
        touches=True,
        why_not=_no_plan_change,
    ),
    Action(
        id="driver.take",
        keys=("D",),
        title="The driver's seat",
        group=Group.ACT,
        tip="take, hand over or release the driver's seat",
        modes=FLYING,
        touches=True,
    ),
    Action(
        id="note.add",
        keys=("n",),
        title="Add a note",
        group=Group.LOOK,
        tip="one line to the journal",
        modes=FLYING,
        touches=True,
    ),
    Action(
        id="detail.open",
        keys=("enter",),
        title="Open the details",
        short="Details",
        group=Group.LOOK,
        tip="everything known of the chosen row: raw value, source, age, last error, history, gates",
        footer=4,
    ),
    Action(
        id="poll.now",
        keys=("r",),
        title="Poll everything now",
        group=Group.LOOK,
        tip="ask every source at once; the engine limits how often",
        modes=FLYING,
    ),
    Action(
        id="view.pause",
        keys=("space",),
        title="Pause the picture",
        short="Pause",
        group=Group.LOOK,
        tip="a still picture; polling, judge and countdown go on",
        footer=8,
    ),
    Action(
        id="copy.row",
        keys=("y",),
        title="Copy the row",
        short="Copy",
        group=Group.LOOK,
        tip="copy the chosen row as text, and show the text",
        footer=9,
    ),
    Action(
        id="copy.summary",
        keys=("Y",),
        title="Copy a summary",
        group=Group.LOOK,
        tip="copy the whole situation as text for the incident channel, and show the text",
    ),
    Action(
        id="panel.zoom",
        keys=("z",),
        title="Zoom the panel",
        short="Zoom",
        group=Group.LOOK,
        tip="the chosen panel on the whole screen, and back",
        footer=10,
    ),
    Action(
        id="panel.flags",
        keys=("1",),
        title="Rollout",
        group=Group.MOVE,
        tip="focus the rollout panel",
    ),
    Action(
        id="panel.health",
        keys=("2",),
        title="Backends",
        group=Group.MOVE,
        tip="focus the backends panel",
    ),
    Action(
        id="panel.signals",
        keys=("3",),
        title="Signals",
        group=Group.MOVE,
        tip="focus the signals panel",
    ),
    Action(
        id="panel.parity",
        keys=("4",),
        title="Parity",
        group=Group.MOVE,
        tip="focus the parity panel, where the plan compares data",
        why_not=lambda snapshot: "" if snapshot.parity else "the plan compares no data",
    ),
    Action(
        id="panel.checklist",
        keys=("5",),
        title="Checklist",
        group=Group.MOVE,
        tip="the checklist on the whole screen, where the plan has one; z or escape goes back",
        why_not=lambda snapshot: "" if snapshot.checklist or snapshot.phases else NO_CHECKLIST,
    ),
    Action(
        id="panel.journal",
        keys=("6",),
        title="Journal",
        group=Group.MOVE,
        tip="focus the journal panel",
    ),
    Action(
        id="panel.next",
        keys=("tab",),
        title="Next panel",
        group=Group.MOVE,
        tip="shift+tab goes back",
    ),
    Action(
        id="panel.previous",
        keys=("shift+tab",),
        title="Previous panel",
        group=Group.MOVE,
        tip="tab goes on",
    ),
    Action(id="move.up", keys=("up", "k"), title="Row up", group=Group.MOVE, tip="choose the row above"),
    Action(
        id="move.down", keys=("down", "j"), title="Row down", group=Group.MOVE, tip="choose the row below"
    ),
    Action(id="move.left", keys=("left", "h"), title="Left", group=Group.MOVE, tip="to the legacy side"),
    Action(id="move.right", keys=("right", "l"), title="Right", group=Group.MOVE, tip="to the new side"),
    Action(id="move.first", keys=("g", "home"), title="First row", group=Group.MOVE, tip="top of the panel"),
    Action(id="move.last", keys=("G", "end"), title="Last row", group=Group.MOVE, tip="bottom of the panel"),
    Action(
        id="command.open",
        keys=("colon", "ctrl+p"),
        title="Commands",
        short="Commands",
        group=Group.COCKPIT,
        tip="every action by name; never a shell",
        footer=5,
    ),
    Action(
        id="help.open",
        keys=("question_mark", "f1"),
        title="Help",
        short="Help",
        group=Group.COCKPIT,
        tip="every key, and why one is dim",
        everywhere=True,
        footer=6,
    ),
    Action(
        id="theme.next",
        keys=("t",),
        title="Next theme",
        group=Group.COCKPIT,
        tip="themes are TOML files and reload when saved",
    ),
    Action(
        id="screen.again",
        keys=("ctrl+l",),
        title="Draw again",
        group=Group.COCKPIT,
        tip="the whole screen, where something else wrote over it",
        everywhere=True,
    ),
    Action(
        id="quit.ask",
        keys=("q",),
        title="Quit",
        short="Quit",
        group=Group.COCKPIT,
        tip="with a rollback open it says what goes on without you, and asks",
        footer=7,
    ),
    Action(
        id="quit.now",
        keys=("ctrl+q",),
        title="Quit at once",
        group=Group.COCKPIT,
        tip="with a rollback open it asks; a second ctrl+q leaves",
        everywhere=True,
    ),
    Action(
        id="back",
        keys=("escape",),
        title="Back",
        group=Group.COCKPIT,
        tip="closes what is open; never does anything that cannot be undone",
    ),
)
BY_ID: Final = {action.id: action for action in ACTIONS}
MOVES: Final = frozenset(action.id for action in ACTIONS if action.id.startswith("move."))
