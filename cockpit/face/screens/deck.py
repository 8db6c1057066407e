"""The deck: everything an engineer trusts at 03:00 on one screen.

Banner, reason, strips, panels, host, hint, keys. It paints pictures; it asks and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal
from textual.screen import Screen

from cockpit.core.dataclass import dataclass
from cockpit.face.actions import ACTIONS, MOVES
from cockpit.face.cell_diff import paint_now
from cockpit.face.keys import footer_line
from cockpit.face.leftovers import drop_leftovers
from cockpit.face.panels.backends import BackendsPanel
from cockpit.face.panels.checklist import ChecklistPanel
from cockpit.face.panels.journal import JournalPanel
from cockpit.face.panels.panel import Panel, Picture
from cockpit.face.panels.parity import ParityPanel
from cockpit.face.panels.rollout import RolloutPanel
from cockpit.face.panels.signals import SignalsPanel
from cockpit.face.subject import Subject
from cockpit.face.view import Line, Role, split_end
from cockpit.face.view_banner import banner, hint_lines, paused_strip, reason_line, strips
from cockpit.face.view_deck import Plot, Shape, Want, arrange, shape_of
from cockpit.face.view_journal import host_line
from cockpit.face.widgets import Paper

SLICE_S: Final = 0.003
PAUSE_S: Final = 0.002
"""For how long panels are painted at a stretch, and for how long keys and the engine have the word then."""
_ROOMY_FROM_HEIGHT = 26
_CLOCK_WIDTH = 28


@dataclass(frozen=True, slots=True)
class Frame:
    """One painting of the deck: `live` for what may never stand still, `shown` for the panels."""

    live: Picture
    shown: Picture
    notice: Line = ()

    @property
    def paused(self) -> bool:
        return self.live is not self.shown


def _deck_bindings() -> list[BindingType]:
    return [
        Binding(
            ",".join(action.keys),
            f"move('{action.id.removeprefix('move.')}')" if action.id in MOVES else f"app.act('{action.id}')",
            action.title,
            show=False,
        )
        for action in ACTIONS
        if not action.everywhere
    ]


def _write(paper: Paper, words: Callable[[], Sequence[Line]]) -> None:
    paper.write(words())


class DeckScreen(Screen[None]):
    """Paints frames. Layout changes only when the size, the number of lines or the zoom does.

    A frame comes in slices, and between two of them a key that waits is served. First all lines above and
    below the panels, in one piece: mode, clock, reason, countdown, alarms, what was said, keys. Then panel by
    panel, each whole and from one picture. So for some milliseconds a panel may be one picture behind the
    alarms, and never the alarms behind a panel. Of frames that come meanwhile the newest is painted on.

    look: asks for a new frame. on_trouble: told when a part could not be drawn. monotonic: seconds.
    """

    BINDINGS: ClassVar[list[BindingType]] = _deck_bindings()
    # To the type checker it is an instance's, because Textual declares it so.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-medium"), (170, "-wide")]  # noqa: RUF012

    def __init__(
        self,
        look: Callable[[], None],
        on_trouble: Callable[[Exception], None],
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(id="deck")
        self._look = look
        self._on_trouble = on_trouble
        self._monotonic = monotonic
        self._left: tuple[Panel, ...] = ()
        self._going_on = False
        self._resumed = False
        self.zoomed: Panel | None = None
        self._frame: Frame | None = None
        self._arranged: object = None
        self._banner = Paper(id="banner", classes="line")
        self._clock = Paper(id="clock", classes="line")
        self._reason = Paper(id="reason", classes="line")
        self._strips = Paper(id="strips")
        self._host = Paper(id="host", classes="line")
        self._hint = Paper(id="hint")
        self._footer = Paper(id="footer", classes="line")
        self.rollout = RolloutPanel(id="rollout")
        self.backends = BackendsPanel(id="backends")
        self.signals = SignalsPanel(id="signals")
        self.journal = JournalPanel(id="journal")
        self.parity = ParityPanel(id="parity")
        self.checklist = ChecklistPanel(id="checklist")
        self._all = (self.rollout, self.backends, self.signals, self.parity, self.journal, self.checklist)
        self._grid = Grid(*self._all, id="panels")

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Those that there are: parity and checklist only where the plan has them."""
        shown = self._frame.shown.snapshot if self._frame is not None else None
        absent = {
            self.parity: shown is None or not shown.parity,
            self.checklist: shown is None or not (shown.checklist or shown.phases),
        }
        return tuple(panel for panel in self._all if not absent.get(panel, False))

    def compose(self) -> ComposeResult:
        yield Horizontal(self._banner, self._clock, classes="line")
        yield self._reason
        yield self._strips
        yield self._grid
        yield self._host
        yield self._hint
        yield self._footer

    def on_mount(self) -> None:
        """Look before the first layout, so that it is already the right one."""
        self.rollout.focus()
        self._look()

    def on_screen_resume(self) -> None:
        """Nothing is painted here while another screen is open: look again when it has closed."""
        drop_leftovers()
        if self._resumed:
            self._look()
        self._resumed = True  # the first time comes right behind the look of on_mount

    def on_resize(self) -> None:
        self.call_after_refresh(self.repaint)

    def repaint(self) -> None:
        if self._frame is not None:
            self.show(self._frame)

    def show(self, frame: Frame) -> None:
        """Paint one frame; cheap when nothing changed."""
        ends_s = self._monotonic() + SLICE_S
        self._frame = frame
        width = self.app.size.width
        if width < 4:
            return
        live, shown = frame.live, frame.shown
        lines = list(strips(live.snapshot, live.now, width))
        if frame.paused:
            lines.insert(0, paused_strip((live.now - shown.now).total_seconds(), width))
        bottom = (frame.notice,) if frame.notice else hint_lines(live.snapshot.hint, width)
        self._guarded(lambda: self._arrange(frame, len(lines), len(bottom)))
        words = {
            self._banner: lambda: [split_end(banner(live.snapshot, live.now, width), _CLOCK_WIDTH)[0]],
            self._clock: lambda: [split_end(banner(live.snapshot, live.now, width), _CLOCK_WIDTH)[1]],
            self._reason: lambda: [reason_line(live.snapshot, live.now, width, above_strips=True)],
            self._strips: lambda: lines,
            self._host: lambda: [host_line(shown.snapshot.host_status, shown.now, width)],
            self._hint: lambda: bottom,
            self._footer: lambda: [footer_line(live.snapshot, width)],
        }
        for paper, say in words.items():
            self._guarded(partial(_write, paper, say), paper)
        for panel in self._all:
            panel.coming = shown
        behind = self._left  # those that the last frame never reached come first
        self._left = (*behind, *(panel for panel in self.panels if panel not in behind))
        paint_now(self.app, *words)
        if not self._going_on:
            self._paint_until(ends_s)

    @property
    def stands(self) -> bool:
        """Whether a frame was painted whole."""
        shown = [panel for panel in self.panels if panel.display and panel.has_room]
        return bool(shown) and all(panel.drawn for panel in shown)

    @property
    def behind(self) -> tuple[Panel, ...]:
        """The panels that do not show the newest frame yet, the next one first."""
        return self._left

    def _paint_on(self) -> None:
        """The next slice: one panel at least."""
        self._going_on = False
        self._paint_next()
        self._paint_until(self._monotonic() + SLICE_S)

    def _paint_until(self, ends_s: float) -> None:
        while self._left and self._monotonic() < ends_s:
            self._paint_next()
        paint_now(self.app, *self._all)
        if self._left:
            self._going_on = True
            self.set_timer(PAUSE_S, self._paint_on)

    def _paint_next(self) -> None:
        """The next of the panels that are still behind, with the newest picture."""
        if self._left and self._frame is not None:
            panel, *left = self._left
            self._left = tuple(left)
            if panel.display and panel in self.panels:
                self._guarded(partial(panel.paint, self._frame.shown), panel)

    def _guarded(self, paint: Callable[[], None], paper: Paper | None = None) -> None:
        """One part that cannot be drawn says so in its place and is recorded; the others stay."""
        try:
            paint()
        except Exception as error:  # the paint's edge: a panel that breaks must not take the others along
            if paper is not None:
                paper.write([((f" ✗ cannot draw this: {type(error).__name__}", Role.BAD),)])
            self._on_trouble(error)

    def _arrange(self, frame: Frame, strips_height: int, hint_height: int) -> None:
        """Give rows their heights; touches styles only when the plan of the screen differs."""
        width, height = self.app.size
        host = height >= _ROOMY_FROM_HEIGHT
        hint_height = max(hint_height, int(host))
        room = height - 3 - strips_height - hint_height - int(host)
        shape = shape_of(width)
        plot = self._planned(frame.shown, shape, width, room)
        arranged = (plot, strips_height, hint_height, host, self.zoomed)
        if arranged == self._arranged:
            return
        self._arranged = arranged
        self._strips.styles.height = strips_height
        self._strips.display = strips_height > 0
        self._hint.styles.height = hint_height
        self._hint.display = hint_height > 0
        self._host.display = host
        self.set_class(self.zoomed is not None, "-zoomed")
        self.set_class(self.parity in self.panels, "-parity")
        for panel, full in zip(self._all, (*plot.full, True, True), strict=True):
            panel.full = full or self.zoomed is panel
            alone = panel is self.checklist
            panel.display = panel in self.panels and (
                self.zoomed is panel or (self.zoomed is None and not alone)
            )
        self.signals.alone = self.zoomed is self.signals
        self.signals.rich = plot.rich or self.signals.alone
        rows = (room,) if self.zoomed is not None else plot.rows
        self._grid.styles.grid_rows = " ".join(str(row) for row in rows)

    def _planned(self, picture: Picture, shape: Shape, width: int, room: int) -> Plot:
        left = width if shape is not Shape.WIDE else (width - 2) * 11 // 20
        right = width if shape is not Shape.WIDE else width - 2 - left
        signals = left if shape is not Shape.MEDIUM else (width - 2) * 11 // 20
        return arrange(
            shape,
            room,
            self.rollout.want(picture, left),
            self.backends.want(picture, right),
            self.signals.want(picture, signals),
            self._parity_want(picture, width, signals),
        )

    def _parity_want(self, picture: Picture, width: int, signals: int) -> Want | None:
        """It stands beside the signals where there are two columns."""
        if not picture.snapshot.parity:
            return None
        return self.parity.want(picture, width if signals == width else width - 2 - signals)

    # --- what keys do here ---

    @property
    def focused_panel(self) -> Panel:
        """The panel with the focus; without one the first, so that keys work all the same."""
        focused = self.focused
        return focused if isinstance(focused, Panel) and focused in self.panels else self.rollout

    @property
    def subject(self) -> Subject | None:
        """What the chosen row is about."""
        panel = self.focused_panel
        key = panel.chosen_key
        return None if key is None else Subject(panel.topic, key)

    def action_move(self, step: str) -> None:
        panel = self.focused_panel
        if not panel.has_focus:
            self.set_focus(panel)
        panel.move(step)
        paint_now(self.app, panel)

    def look_at(self, panel: Panel) -> None:
        if panel not in self.panels:
            return
        if self.zoomed is not None or panel is self.checklist:
            self.zoomed = panel
        self.repaint()
        self.set_focus(panel)

    def turn(self, step: int) -> None:
        beside = self.zoomed is None
        panels = tuple(panel for panel in self.panels if not (beside and panel is self.checklist))
        self.look_at(panels[(panels.index(self.focused_panel) + step) % len(panels)])

    def zoom(self) -> None:
        left, self.zoomed = self.zoomed, None if self.zoomed is not None else self.focused_panel
        self.repaint()
        if left is self.checklist:
            self.set_focus(self.rollout)
