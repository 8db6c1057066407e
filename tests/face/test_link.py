"""A terminal that is slow, stalled, gone or given away: the loop turns, and the past is not replayed."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cockpit.face.cells import PLAIN, Canvas, Encoder, Frame, Pen
from cockpit.face.link import ASK as QUESTION
from cockpit.face.link import ASK_EVERY, HELD_S, PIECE, WINDOW, Foreign, Link
from cockpit.face.link import ASK_OTHERWISE as QUESTION_OTHERWISE
from tests.e2e.terminal import Terminal, wait_until
from tests.face.glass import Glass, assert_same, drawn_slowly

KERNEL = 32768
"""More than a pseudo terminal keeps for its reader."""
ASK = QUESTION.encode()
ASK_OTHERWISE = QUESTION_OTHERWISE.encode()
RESTLESS = [sys.executable, "-m", "tests.face.restless"]


class Line:
    """A link on a pseudo terminal, and the other end of it, which is read when a test says so."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        self.broken: list[Exception] = []
        self.now_s = 0.0
        self.link = Link(
            self.slave, encoding="utf-8", monotonic=lambda: self.now_s, broken=self.broken.append
        )
        self.got = b""

    def swallow(self) -> None:
        """Read what is there."""
        while select.select([self.master], [], [], 0)[0]:
            self.got += os.read(self.master, 65536)

    def settled(self) -> bool:
        """Read what is there; whether nothing more comes."""
        self.swallow()
        return self.link.idle

    def read_all(self) -> bytes:
        """Read until everything was sent; what was read now."""
        before = len(self.got)

        def look() -> bool:
            sent = not self.link.behind
            self.swallow()
            return sent

        wait_until(look, "everything is sent", 20)
        return self.got[before:]

    def close(self) -> None:
        reader = threading.Thread(target=self.link.close)
        reader.start()
        while reader.is_alive():
            if select.select([self.master], [], [], 0.05)[0]:
                self.got += os.read(self.master, 65536)
        os.close(self.master)
        os.close(self.slave)


@contextmanager
def line() -> Iterator[Line]:
    opened = Line()
    try:
        yield opened
    finally:
        opened.close()


def page(number: int) -> Frame:
    """80 by 24 cells, all of which differ from the page before."""
    canvas = Canvas(80, 24)
    for y in range(24):
        text = "".join(chr(ord("a") + (number + x + y) % 26) for x in range(80))
        canvas.paint(0, y, [(text, Pen(foreground=f"38;5;{number % 200}"))])
    return canvas.frame()


def stall(opened: Line, *, drops: int) -> int:
    """Show frames that nobody reads until so many were dropped; the number of the last one."""
    number = 0

    def look() -> bool:
        nonlocal number
        number += 1
        opened.link.show(page(number))
        return opened.link.dropped >= drops

    wait_until(look, f"{drops} frames are dropped")
    return number


def test_a_stalled_terminal_gets_the_newest_frame_and_none_of_the_past() -> None:
    with line() as opened:
        number = stall(opened, drops=60)
        kept = opened.link.written
        for last in range(number + 1, number + 4):
            opened.link.show(page(last))
        got = opened.read_all()
        glass = Glass(80, 24)
        glass.write(got.decode())
        assert_same(glass.shown, drawn_slowly(page(last)))
        whole = len(Encoder().draw(page(last)))
        assert len(got) <= kept + 2 * whole, "the rest of one that was on its way, and one to catch up"
        assert opened.link.dropped > 60


def test_what_is_not_a_frame_arrives_whole_and_in_order_through_a_stall() -> None:
    with line() as opened:
        stall(opened, drops=20)
        said = [f"\x1b]2;title {number}\x07" for number in range(200)]
        for text in said:
            opened.link.say(text)
            opened.link.show(page(1))
        got = opened.read_all().decode()
        places = [got.index(text) for text in said]
        assert places == sorted(places)


def test_a_frame_from_before_the_terminal_was_given_away_is_never_drawn_after() -> None:
    with line() as opened:
        number = stall(opened, drops=20)
        opened.link.show(page(number + 1))
        opened.link.say(Foreign("\x1b[?1049l"))
        got = opened.read_all().decode()
        given, _, after = got.partition("\x1b[?1049l")
        assert given.endswith("\x1b[m"), "the pen is laid down first"
        assert after == ""
        opened.link.say(Foreign("\x1b[?1049h"))
        opened.link.show(page(number + 2))
        glass = Glass(80, 24)
        glass.write(opened.read_all().decode())
        assert_same(glass.shown, drawn_slowly(page(number + 2)))


def test_a_big_frame_is_one_picture_where_the_terminal_can_and_a_small_one_costs_nothing_more() -> None:
    with line() as opened:
        assert opened.link.answered()
        opened.link.show(page(1))
        got = opened.read_all()
        assert got.startswith(b"\x1b[?2026h") and got.endswith(b"\x1b[?2026l" + ASK) and len(got) > PIECE
        opened.link.answered()
        canvas = Canvas(80, 24)
        canvas.paint(0, 0, [("x", PLAIN)])
        opened.link.show(canvas.frame())
        opened.read_all()
        canvas.paint(0, 0, [("y", PLAIN)])
        opened.link.show(canvas.frame())
        assert opened.read_all() == b"\x1b[Hy"


def assert_newest_is_shown(opened: Line, canvas: Canvas) -> None:
    canvas.paint(0, 0, [("newest", PLAIN)])
    opened.link.show(canvas.frame())
    opened.read_all()
    glass = Glass(80, 24)
    glass.write(opened.got.decode())
    assert_same(glass.shown, drawn_slowly(canvas.frame()))


def ticks(opened: Line, canvas: Canvas, count: int) -> int:
    """So many seconds of a clock on a link that swallows everything; how many bytes went out."""
    before = opened.link.written
    for _ in range(count):
        opened.now_s += 1.0
        canvas.paint(70, 3, [(f"{opened.now_s:08.0f}", PLAIN)])
        canvas.paint(0, 0, [(chr(ord("a") + round(opened.now_s) % 26) * 60, PLAIN)])
        opened.link.show(canvas.frame())
        wait_until(opened.settled, "taken, or held", 10)
    return opened.link.written - before


def test_a_link_that_swallows_everything_is_sent_little_while_the_terminal_owes_an_answer() -> None:
    """As sshd does it for a client that hangs: the kernel always takes more, and nobody sees it."""
    with line() as opened:
        assert opened.link.answered()
        canvas = Canvas(80, 24)
        swallowed = ticks(opened, canvas, 300)
        frames_s = 300 / HELD_S
        assert swallowed < ASK_EVERY + 2 * WINDOW + frames_s * 100
        opened.link.answered()
        assert_newest_is_shown(opened, canvas)


def test_a_terminal_that_answers_misses_no_frame() -> None:
    with line() as opened:
        opened.link.answered()
        canvas = Canvas(80, 24)
        for _ in range(200):
            ticks(opened, canvas, 1)
            opened.link.answered()
        assert opened.link.dropped == 0
        opened.read_all()
        assert opened.got.count(ASK) > 5


def test_a_terminal_that_knows_no_whole_frames_but_answers_is_asked_what_it_answers() -> None:
    """As xterm: it says no, and that is an answer, too."""
    with line() as opened:
        assert opened.link.answered(whole_frames=False)
        opened.link.show(page(1))
        got = opened.read_all()
        assert len(got) > PIECE and b"?2026" not in got and got.endswith(ASK_OTHERWISE)
        canvas = Canvas(80, 24)
        swallowed = ticks(opened, canvas, 300)
        assert swallowed < ASK_EVERY + 2 * WINDOW + 300 / HELD_S * 100
        assert not opened.link.answered(whole_frames=False)
        assert_newest_is_shown(opened, canvas)


def test_a_no_to_another_question_is_no_answer_of_one_that_shows_whole_frames() -> None:
    """Textual asks both at the start, and a terminal may say yes to the first and no to the second."""
    with line() as opened:
        opened.link.answered()
        assert opened.link.answered(whole_frames=False), "it is Textual's own question"
        opened.link.show(page(1))
        assert opened.read_all().endswith(b"\x1b[?2026l" + ASK)
        opened.link.answered(whole_frames=False)
        canvas = Canvas(80, 24)
        assert ticks(opened, canvas, 300) < 2 * WINDOW + 300 / HELD_S * 100, "still owed"


@pytest.mark.parametrize(("said", "question"), [(0, QUESTION_OTHERWISE), (2, QUESTION)])
def test_what_a_terminal_says_of_itself_decides_what_it_is_asked(said: int, question: str) -> None:
    """The whole way: the terminal's bytes, Textual's reading of them, the driver, the link."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    deck = [sys.executable, "-m", "tests.bench.moving_screens", "deck"]
    with Terminal(deck, env=env, columns=200, rows=50) as terminal:
        wait_until(lambda: b"\x1b[?2026$p" in terminal.raw and b"\x1b[?2048$p" in terminal.raw, "asked")
        terminal.press(f"\x1b[?2026;{said}$y\x1b[?2048;0$y")
        wait_until(lambda: "convex_courses" in terminal.text, "the deck is shown")
        wait_until(lambda: asked_again(terminal, question.encode()), "asked again, behind a frame")


def asked_again(terminal: Terminal, question: bytes) -> bool:
    """Whether it was asked more than once, which Textual does; else have a frame drawn, to ask behind."""
    press(terminal)
    return terminal.raw.count(question) > 1


def test_a_key_is_answered_by_a_frame_at_once_whatever_is_owed() -> None:
    with line() as opened:
        opened.link.answered()
        canvas = Canvas(80, 24)
        ticks(opened, canvas, 60)
        canvas.paint(0, 0, [("the sheet", PLAIN)])
        opened.link.show(canvas.frame())
        opened.link.hurry()
        wait_until(lambda: b"the sheet" in opened.got or not opened.read_all(), "sent")
        assert b"the sheet" in opened.got


def test_a_terminal_that_types_and_never_answers_is_waited_for_no_more() -> None:
    """Somebody attached from another terminal."""
    with line() as opened:
        opened.link.answered()
        canvas = Canvas(80, 24)
        ticks(opened, canvas, 60)
        opened.now_s += HELD_S
        opened.link.hurry()
        opened.read_all()
        dropped = opened.link.dropped
        opened.now_s += 60.0
        ticks(opened, canvas, 60)
        assert opened.link.dropped == dropped


def test_a_terminal_that_is_gone_ends_the_thread_and_troubles_nobody() -> None:
    opened = Line()
    os.close(opened.master)
    opened.link.show(page(1))
    wait_until(lambda: not opened.link.alive, "the thread ended")
    opened.link.show(page(2))
    opened.link.say("\x07")
    assert not opened.link.behind
    opened.link.close()
    os.close(opened.slave)


def test_a_frame_that_cannot_be_drawn_is_told_and_the_rest_goes_on() -> None:
    with line() as opened:
        opened.link.show(Frame(rows=((("x", None),),)))  # type: ignore[arg-type]  # the fault on purpose
        wait_until(lambda: opened.broken, "told")
        opened.link.say("\x07plain")
        assert opened.read_all().endswith(b"\x07plain")


def test_a_fault_of_its_own_is_told_and_does_not_leave_a_screen_that_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    healthy = Link._sort

    def faulty(link: Link) -> None:
        monkeypatch.setattr(Link, "_sort", healthy)
        raise RuntimeError("a fault")

    with line() as opened:
        opened.link.show(page(1))
        opened.read_all()
        monkeypatch.setattr(Link, "_sort", faulty)
        opened.link.say("\x07plain")
        wait_until(lambda: opened.broken, "told")
        assert opened.read_all().endswith(b"\x1b[m\x07plain")
        assert opened.link.alive


def test_characters_that_the_terminal_has_no_letters_for_are_marked() -> None:
    master, slave = pty.openpty()
    link = Link(slave, encoding="ascii", monotonic=lambda: 0.0, broken=lambda _: None)
    canvas = Canvas(4, 1)
    canvas.paint(0, 0, [("a─b", PLAIN)])
    link.show(canvas.frame())
    wait_until(lambda: not link.behind, "sent")
    link.close()
    assert b"a?b" in os.read(master, 65536)
    os.close(master)
    os.close(slave)


# --- a whole app --------------------------------------------------------------------------------------------


def beats(path: Path) -> tuple[int, int, str]:
    """Of the last whole line: the frame's number, how many were dropped, and why output is plain."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    if not lines:
        return (0, 0, "")
    number, dropped, why = lines[-1].split(" ", 2)
    return (int(number), int(dropped), why)


def shown(terminal: Terminal) -> int:
    first = terminal.text.partition("\n")[0]
    digits = first.removeprefix("number ").rstrip(".")
    return int(digits) if digits.isdigit() else 0


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_the_loop_turns_while_nobody_reads_and_the_newest_frame_follows(
    size: tuple[int, int], tmp_path: Path
) -> None:
    told = tmp_path / "beats"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    with Terminal([*RESTLESS, str(told)], env=env, columns=size[0], rows=size[1]) as terminal:
        wait_until(lambda: shown(terminal) > 3, "frames are shown")
        terminal.stall()
        dropped = beats(told)[1]
        wait_until(lambda: beats(told)[1] > dropped + 100, "100 frames are dropped")
        before, newest = len(terminal.raw), beats(told)[0]
        terminal.resume()
        wait_until(lambda: shown(terminal) >= newest, "the newest frame")
        wait_until(lambda: len(terminal.raw) > before + KERNEL, "more bytes than the kernel kept")
        assert len(set(terminal.text.split("\n")[1])) == 1, "no row is of two frames"


def test_drawing_that_fails_in_flight_ends_in_plain_output_and_a_right_screen(tmp_path: Path) -> None:
    told = tmp_path / "beats"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    with Terminal([*RESTLESS, str(told), "break"], env=env, columns=80, rows=24) as terminal:
        wait_until(lambda: shown(terminal) > 3, "frames are shown")
        terminal.press("x")
        wait_until(lambda: "comparing cells failed" in beats(told)[2], "it failed")
        newest = beats(told)[0]
        wait_until(lambda: shown(terminal) > newest, "frames are shown again")
        terminal.stall()
        turned = beats(told)[0]
        wait_until(lambda: beats(told)[0] > turned + 100, "the loop turns although nobody reads")
        terminal.resume()
        newest = beats(told)[0]
        wait_until(lambda: shown(terminal) >= newest, "the newest frame")


def press(terminal: Terminal) -> None:
    terminal.press("\x0c")


def resize_to_the_same(terminal: Terminal) -> None:
    terminal.process.send_signal(signal.SIGWINCH)


def resize_and_back(terminal: Terminal) -> None:
    terminal.resize(60, 20)
    terminal.resize(80, 24)


def stop_and_go_on(terminal: Terminal) -> None:
    """As ctrl+z and fg in a shell."""
    process = psutil.Process(terminal.process.pid)
    process.send_signal(signal.SIGTSTP)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "it stands still")
    terminal.scribble("a shell was here")
    process.send_signal(signal.SIGCONT)


ROW = "▌✓ convex_courses         ╋━◆───────┼"


def whole(terminal: Terminal) -> bool:
    """Whether the row that is scribbled on is as the deck has it."""
    return terminal.text.split("\n")[4].startswith(ROW)


@pytest.mark.parametrize("happens", [press, resize_to_the_same, resize_and_back, stop_and_go_on])
def test_what_something_else_wrote_over_the_deck_is_drawn_again(happens: Callable[[Terminal], None]) -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    deck = [sys.executable, "-m", "tests.bench.moving_screens", "deck"]
    with Terminal(deck, env=env, columns=80, rows=24) as terminal:
        wait_until(lambda: whole(terminal), "the deck is shown")
        wait_until(lambda: scribbled(terminal), "something is written over it")
        happens(terminal)
        wait_until(lambda: whole(terminal), "the deck is whole again")


def scribbled(terminal: Terminal) -> bool:
    """Write over the deck; it may have come in the middle of a sequence, and be no sequence itself."""
    terminal.scribble("Broadcast message from root")
    return not whole(terminal)


def test_the_wall_has_a_key_to_be_drawn_again() -> None:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd()}
    wall = [sys.executable, "-m", "tests.bench.moving_screens", "wall"]
    with Terminal(wall, env=env, columns=80, rows=24) as terminal:
        terminal.expect("production")
        wait_until(lambda: overwritten(terminal), "something is written over it")
        press(terminal)
        wait_until(lambda: "Broadcast" not in terminal.text, "the wall is whole again")


def overwritten(terminal: Terminal) -> bool:
    terminal.scribble("Broadcast message from root")
    return "Broadcast message from root" in terminal.text
