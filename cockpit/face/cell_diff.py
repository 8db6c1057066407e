"""Only the cells that changed go to the terminal: everything here that leans on Textual's inside.

Textual writes every strip that an update touches, again and whole, into a queue that blocks its loop when the
terminal is slow. Here an update is painted on a canvas instead, and a thread of its own (`link`) brings the
terminal from what it shows to what it should show. All else that Textual writes passes through in order.

COCKPIT_DIFF=0 in the environment gives plain Textual, and so does a Textual that is not one of those that
this file was written for. An error in here ends in plain output and a whole repaint, never in a wrong screen.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeGuard

from rich.color import ColorSystem
from rich.console import RenderableType
from rich.style import Style
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.events import AppFocus, InputEvent
from textual.geometry import Region
from textual.message import Message
from textual.messages import InBandWindowResize, TerminalSupportsSynchronizedOutput
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from cockpit.core.textual_release import unknown_release
from cockpit.face.cells import PLAIN, Canvas, Frame, Pen
from cockpit.face.lean import installed_release
from cockpit.face.link import Foreign, Link

if TYPE_CHECKING:
    from textual._compositor import ChopsUpdate, LayoutUpdate

SWITCH: Final = "COCKPIT_DIFF"
EXPECTED: Final = (
    ("textual.app", "App._display", "self screen renderable"),
    ("textual.widget", "Widget._exchange_repaint_regions", "self"),
    ("textual.widget", "Widget.render_lines", "self crop"),
    ("textual._compositor", "LayoutUpdate.__init__", "self strips region"),
    ("textual._compositor", "ChopsUpdate.__init__", "self chops spans chop_ends"),
    ("textual.drivers.linux_driver", "LinuxDriver.write", "self data"),
    ("textual.drivers.linux_driver", "LinuxDriver.start_application_mode", "self"),
    ("textual.drivers.linux_driver", "LinuxDriver.process_message", "self message"),
    ("textual.drivers.linux_driver", "LinuxDriver.close", "self"),
)
MODES_ALONE: Final = re.compile(
    r"(?:\x1b\[\?(?!1049|1047|47|6|5|3)\d+[hl]"
    r"|\x1b\[\?\d+\$p"
    r"|\x1b\[[<>=]\d*u"
    r"|\x1b\]\d+;[^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x07)*"
)
"""Leaves cells and cursor alone: modes, questions about them, keyboards, titles, the clipboard, a bell."""
LEAVES: Final = "\x1b[?1049l"
ENTERS: Final = "\x1b[?1049h"
OWED_S: Final = 0.1
ATTRIBUTES: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 51, 52, 53)
"""SGR numbers of rich's attribute bits, lowest bit first."""


def unfit(found: str | None = None) -> str:
    """Why this Textual is left as it is; empty when the cells can be compared."""
    found = found or installed_release()
    release = unknown_release(found)
    if release:
        return release
    for module, name, parameters in EXPECTED:
        try:
            signature = inspect.signature(attrgetter(name)(import_module(module)))
        except (ImportError, AttributeError):
            return f"Textual {found} has no {name}"
        if list(signature.parameters) != parameters.split():
            return f"Textual {found} has another {name} than expected"
    return ""


def wanted(environ: Mapping[str, str]) -> bool:
    return environ.get(SWITCH, "").strip().lower() not in ("0", "no", "off", "false")


class Easel(Protocol):
    """Where frames are painted and shown."""

    def canvas(self, width: int, height: int) -> Canvas:
        """What is painted on; a new one when the size is a new one."""

    def show(self, frame: Frame) -> None:
        """Show a frame; returns at once."""


class CellDiffDriver(LinuxDriver):
    """Textual's driver for a terminal, with a `Link` in the place of its writing thread."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        self.broken = False
        self._link: Link | None = None
        self._on_screen = False
        self._canvas: Canvas | None = None

    @property
    def behind(self) -> bool:
        return self._link is not None and self._link.behind

    @property
    def dropped(self) -> int:
        """Frames that this terminal never got, because a newer one came before it could take them."""
        return self._link.dropped if self._link is not None else 0

    def start_application_mode(self) -> None:
        if self._file is not None and (self._link is None or not self._link.alive):
            self._link = Link(
                self._file.fileno(),
                encoding=self._file.encoding,
                monotonic=self._loop.time,
                broken=self._break,
            )
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's own signature

    def write(self, data: str) -> None:
        if self._link is None:
            return
        if self.broken or MODES_ALONE.fullmatch(data):
            self._link.say(data)
            return
        self._link.say(Foreign(data))
        if LEAVES in data:
            self._on_screen = False
        elif ENTERS in data:
            self._on_screen = True

    def close(self) -> None:
        super().close()
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def process_message(self, message: Message) -> None:
        """From the thread that reads keys."""
        if self._link is not None:
            whole_frames = _answer(message)
            if isinstance(message, InputEvent | AppFocus):
                self._link.hurry()
            elif whole_frames is not None and not self._link.answered(whole_frames=whole_frames):
                return  # the answer to a question of the link's own
        super().process_message(message)

    def canvas(self, width: int, height: int) -> Canvas:
        if self._canvas is None or self._canvas.size != (width, height):
            self._canvas = Canvas(width, height)
        return self._canvas

    def show(self, frame: Frame) -> None:
        if self._link is not None and self._on_screen:
            self._link.show(frame)

    def forget(self) -> None:
        """Nothing is known any more of what the terminal shows: the next frame is drawn whole."""
        if self._link is not None:
            self._link.say(Foreign())

    def _break(self, error: Exception) -> None:
        """From the thread that writes: frames cannot be drawn any more."""
        if isinstance(self._app, CellDiffApp):
            self._app.call_later(self._app.draw_plainly, error)


def _answer(message: Message) -> bool | None:
    """What an answer says of frames that are shown as one; None where the message is none."""
    if isinstance(message, TerminalSupportsSynchronizedOutput):
        return True
    return False if isinstance(message, InBandWindowResize) and not message.supported else None


class CellDiffApp(App[None]):
    """An app whose frames go to the terminal by the cells that changed, where that is possible.

    `plain_because` says why they do not; empty when they do, and when nobody asked for it.
    """

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        asked = wanted(os.environ)
        self.plain_because = unfit() if asked else ""
        self._owed = False
        super().__init__(ansi_color=ansi_color)
        if asked and not self.plain_because and self.driver_class is LinuxDriver:
            self.driver_class = CellDiffDriver

    def on_resize(self) -> None:
        """Also to the size that it was: what happened to the terminal meanwhile, nobody knows."""
        self.paint_again()

    def paint_again(self) -> None:
        """Draw the whole screen, whatever the terminal is believed to show."""
        if isinstance(self._driver, CellDiffDriver):
            self._driver.forget()
        if self.screen_stack:
            self.screen.refresh()

    def draw_plainly(self, error: Exception) -> None:
        """Something in here failed: plain output from now on, and the screen once more from the start."""
        driver = self._driver
        if isinstance(driver, CellDiffDriver) and not driver.broken:
            driver.forget()
            driver.broken = True
            self.plain_because = f"comparing cells failed ({type(error).__name__})"
            self.on_plain(error)
            self.paint_again()

    def on_plain(self, error: Exception) -> None:
        """Called after output became plain in flight."""

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        driver = self._driver
        if not isinstance(driver, CellDiffDriver) or renderable is None:
            super()._display(screen, renderable)
        elif self._batch_count or self._closed or not self._running:
            self.post_display_hook()
        elif driver.broken:
            self._display_plainly(driver, screen, renderable)
        else:
            try:
                self._display_cells(driver, screen, renderable)
            except Exception as error:  # whatever it is, plain output is the way out
                self.draw_plainly(error)
            self.post_display_hook()

    def _display_cells(self, easel: Easel, screen: Screen[Any], update: RenderableType) -> None:
        canvas = easel.canvas(*screen._compositor.size)
        whole = is_layout(update)
        if not (whole or canvas.painted):
            screen.refresh()
            return
        canvas.painted = True
        system = self.console._color_system or ColorSystem.TRUECOLOR
        for x, y, strip in placed(update):
            canvas.paint(x, y, _pieces(strip, system), origin=strip)
        self._show_canvas(easel, screen, canvas)

    def paint_now(self, *widgets: Widget) -> None:
        """Show at once what these have to repaint, and not at the screen's next turn: that waits for six
        messages and for up to a sixtieth of a second.

        Only where nothing has to come before it: a layout, or another widget that stands in front.
        Otherwise the screen's next turn brings it, as it brings everything.
        """
        easel = self.easel()
        if easel is None or not self.screen_stack or self._batch_count or self._closed or not self._running:
            return
        screen = self.screen
        if screen._layout_required or screen._scroll_required or screen._repaint_required:
            return
        try:
            self._paint_widgets(easel, screen, widgets)
        except Exception as error:  # whatever it is, plain output is the way out
            self.draw_plainly(error)

    def easel(self) -> Easel | None:
        """Where frames go by their cells; None while output is plain."""
        driver = self._driver
        return driver if isinstance(driver, CellDiffDriver) and not driver.broken else None

    def _paint_widgets(self, easel: Easel, screen: Screen[Any], widgets: Iterable[Widget]) -> None:
        visible = screen._compositor.visible_widgets
        canvas = easel.canvas(*screen._compositor.size)
        if not canvas.painted:
            return
        system = self.console._color_system or ColorSystem.TRUECOLOR
        painted = False
        for widget in widgets:
            region = _unhidden(widget, visible)
            if region is None or not widget._repaint_regions or widget._layout_required:
                continue
            dirty = sorted({y for each in widget._exchange_repaint_regions() for y in each.line_range})
            rows = [y for y in dirty if 0 <= y < region.height]
            widget._repaint_required, painted = False, True
            if rows:
                crop = Region(0, rows[0], region.width, rows[-1] + 1 - rows[0])
                strips = widget.render_lines(crop)
                for y in rows:
                    strip = strips[y - rows[0]]
                    canvas.paint(region.x, region.y + y, _pieces(strip, system), origin=strip)
        if painted:
            self._show_canvas(easel, screen, canvas)

    def _show_canvas(self, easel: Easel, screen: Screen[Any], canvas: Canvas) -> None:
        place = screen.outer_size.clamp_offset(self.cursor_position)
        self._previous_cursor_position = place
        easel.show(canvas.frame((place.x, place.y) if _is_input(screen.focused) else None))

    def _display_plainly(
        self, driver: CellDiffDriver, screen: Screen[Any], renderable: RenderableType
    ) -> None:
        """Plain output still waits for nobody: what a slow terminal misses is drawn whole later."""
        if not driver.behind:
            super()._display(screen, renderable)
        elif not self._owed:
            self._owed = True
            self.set_timer(OWED_S, self._pay)

    def _pay(self) -> None:
        self._owed = False
        self.paint_again()


def paint_now(app: App[Any], *widgets: Widget) -> None:
    """`CellDiffApp.paint_now`; another app paints when its screen's turn comes."""
    if isinstance(app, CellDiffApp):
        app.paint_now(*widgets)


def _unhidden(widget: Widget, visible: Mapping[Widget, tuple[Region, Region]]) -> Region | None:
    """Where a widget stands; None unless it stands on the screen whole, with nothing in front of it."""
    place = visible.get(widget)
    if place is None or not place[1].contains_region(place[0]):
        return None
    for other, (region, _) in visible.items():  # the foremost first
        if other is widget:
            return place[0]
        if region.overlaps(place[0]):
            return None
    return None


def _is_input(widget: Widget | None) -> bool:
    """Where nothing has loaded Textual's input yet, nothing is one."""
    loaded = sys.modules.get("textual.widgets._input")
    return loaded is not None and isinstance(widget, loaded.Input)


def _pieces(strip: Strip, system: ColorSystem) -> Iterator[tuple[str, Pen]]:
    return ((text, pen(style, system)) for text, style, _ in strip)


def is_layout(update: object) -> TypeGuard[LayoutUpdate]:
    return type(update).__name__ == "LayoutUpdate"


def is_chops(update: object) -> TypeGuard[ChopsUpdate]:
    return type(update).__name__ == "ChopsUpdate"


def placed(update: object) -> Iterator[tuple[int, int, Strip]]:
    """The strips of an update with the column and row where each begins.

    A strip is taken whole where it holds a changed cell: all of it is as new as that cell.
    Raises TypeError on an update of another kind.
    """
    if is_layout(update):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield x, y, strip
                x += strip.cell_length
    elif is_chops(update):
        for y, first, last in update.spans:
            for end, (x, chop) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if chop is not None and x < last and end > first:
                    yield x, y, chop.crop(0, end - x)
    else:
        raise TypeError(f"an update of another kind: {type(update).__name__}")


@lru_cache(maxsize=4096)
def pen(style: Style | None, system: ColorSystem) -> Pen:
    """A style in the numbers that `Strip.render` would send."""
    if style is None:
        return PLAIN
    set_bits = style._attributes & style._set_attributes
    link = f"id={style._link_id};{style._link}" if style._link else ""
    colours = (
        "" if colour is None else ";".join(colour.downgrade(system).get_ansi_codes(foreground))
        for colour, foreground in ((style._color, True), (style._bgcolor, False))
    )
    foreground, background = ("" if each in ("39", "49") else each for each in colours)
    return Pen(
        foreground=foreground,
        background=background,
        attributes=tuple(number for bit, number in enumerate(ATTRIBUTES) if set_bits & (1 << bit)),
        link=link if link.isprintable() else "",
    )
