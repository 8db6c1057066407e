"""The fewest bytes between two screens, by random screens: whatever is sent, the terminal shows the frame."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.face.cells import BLANK, PLAIN, Canvas, Encoder, Pen, cells, change, move, settled
from tests.face.glass import Glass, assert_same, drawn_slowly

TEXTS = st.text(alphabet="ab .─┃█éß漢字カ한🚀✅①●…→✓", min_size=1, max_size=6) | st.just("e\u0301x")
COLOURS = ("", "31", "97", "38;5;110", "38;2;255;85;85")
GROUNDS = ("", "44", "48;5;17", "48;2;15;18;23")
ATTRIBUTES = st.lists(st.sampled_from((1, 2, 3, 4, 5, 7, 9)), unique=True)
PENS = st.builds(
    Pen,
    foreground=st.sampled_from(COLOURS),
    background=st.sampled_from(GROUNDS),
    attributes=ATTRIBUTES.map(lambda on: tuple(sorted(on))),
    link=st.sampled_from(("", "", "id=1;https://example.com/")),
)
STROKES = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 5), TEXTS, PENS), max_size=8)
SCENES = st.lists(
    st.tuples(STROKES, st.sampled_from(("draw", "draw", "drop", "forget", "resize"))), max_size=8
)
CURSORS = st.none() | st.tuples(st.integers(0, 9), st.integers(0, 3))


@settings(deadline=None, max_examples=150)
@given(SCENES, CURSORS)
def test_the_terminal_shows_the_frame_whatever_came_before(
    scenes: list[tuple[list[tuple[int, int, str, Pen]], str]], cursor: tuple[int, int] | None
) -> None:
    canvas, encoder = Canvas(20, 6), Encoder()
    glass = Glass(20, 6)
    for strokes, then in scenes:
        if then == "resize":
            width, height = (30 - canvas.size[0], 10 - canvas.size[1])
            canvas, glass = Canvas(width, height), Glass(width, height)
        for x, y, text, pen in strokes:
            canvas.paint(x, y, [(text, pen)])
        if then == "drop":
            continue
        if then == "forget":
            glass.write(encoder.forget() + "\x1b[2;3Hsomebody else was here\x1b[4m")
        frame = canvas.frame(cursor)
        glass.write(encoder.draw(frame))
        assert_same(glass.shown, drawn_slowly(frame))
        if cursor is not None:
            assert (glass.cursor.x, glass.cursor.y) == cursor
        assert encoder.draw(canvas.frame()) == ""


@settings(deadline=None)
@given(PENS, PENS)
def test_a_change_of_pen_ends_in_the_new_pen(old: Pen, new: Pen) -> None:
    glass, twin = Glass(2, 1), Glass(2, 1)
    glass.write(change(PLAIN, old) + change(old, new) + "x")
    twin.write(change(PLAIN, new) + "x")
    assert glass.shown == twin.shown
    if old.link == new.link:
        assert len(change(old, new)) <= len("\x1b[0m" + change(PLAIN, new))


def test_pens_that_only_a_reset_takes_back_are_reset() -> None:
    framed = Pen(attributes=(1, 51))
    assert change(framed, Pen(attributes=(1,))) == "\x1b[0;1m"
    assert change(framed, PLAIN) == "\x1b[m"
    assert change(Pen(attributes=(1, 2)), Pen(attributes=(2,))) in ("\x1b[22;2m", "\x1b[0;2m")


@given(st.none() | st.tuples(st.integers(0, 5), st.integers(0, 19)), st.integers(0, 5), st.integers(0, 19))
def test_a_move_ends_where_it_should(start: tuple[int, int] | None, y: int, x: int) -> None:
    glass = Glass(20, 6)
    if start is not None:
        glass.write(f"\x1b[{start[0] + 1};{start[1] + 1}H")
    glass.write(move(start, (y, x)))
    assert (glass.cursor.y, glass.cursor.x) == (y, x)


def test_one_digit_costs_one_move_and_one_byte() -> None:
    canvas, encoder = Canvas(80, 24), Encoder()
    canvas.paint(0, 5, [("deadline in 14:59", PLAIN)])
    encoder.draw(canvas.frame())
    canvas.paint(0, 5, [("deadline in 14:58", PLAIN)])
    assert encoder.draw(canvas.frame()) == "\x1b[D8"


def test_what_is_short_between_two_changes_is_written_and_not_jumped_over() -> None:
    canvas, encoder = Canvas(80, 24), Encoder()
    canvas.paint(0, 0, [("00:59:59", PLAIN)])
    encoder.draw(canvas.frame())
    canvas.paint(0, 0, [("01:00:00", PLAIN)])
    assert encoder.draw(canvas.frame()) == "\x1b[7D1:00:00"


def test_the_end_of_a_row_is_erased_on_the_terminals_own_background_alone() -> None:
    for pen, erased in ((PLAIN, True), (Pen(background="44"), False), (Pen(attributes=(7,)), False)):
        canvas, encoder = Canvas(40, 2), Encoder()
        canvas.paint(0, 0, [("x" * 40, pen)])
        encoder.draw(canvas.frame())
        canvas.paint(0, 0, [(" " * 40, pen)])
        assert ("\x1b[K" in encoder.draw(canvas.frame())) is erased


@pytest.mark.parametrize("text", ["👩‍🚒", "❤️", "①", "▶", "\u0378"])
def test_no_place_is_trusted_after_a_character_that_terminals_disagree_about(text: str) -> None:
    canvas, encoder = Canvas(20, 2), Encoder()
    canvas.paint(0, 0, [("." * 20, PLAIN)])
    encoder.draw(canvas.frame())
    canvas.paint(2, 0, [(text, PLAIN)])
    sent = encoder.draw(canvas.frame())
    behind = sent[sent.index(text) + len(text) :]
    placed = re.match(r"\x1b\[1;(\d+)H(\.+)$", behind)
    assert placed, f"the cells that it may have covered are not drawn again: {sent!r}"


@pytest.mark.parametrize("text", ["👩‍🚒", "🚀", "漢"])
def test_a_wide_character_on_a_terminal_that_draws_it_narrow_uncovers_nothing_old(text: str) -> None:
    canvas, encoder = Canvas(8, 1), Encoder()
    canvas.paint(0, 0, [("oldoldol", PLAIN)])
    encoder.draw(canvas.frame())
    canvas.paint(2, 0, [(text, PLAIN)])
    sent = encoder.draw(canvas.frame())
    assert settled(text) or "  " in sent[: sent.index(text)]


def test_control_bytes_and_turned_text_never_become_cells() -> None:
    assert [text for text, _ in cells("a\x1b[31m\r\n\x9b\u202eb\tc", PLAIN)] == list("a[31mbc")
    assert [text for text, _ in cells("e\u0301漢", PLAIN)] == ["e\u0301", "漢", ""]


def test_half_a_wide_character_is_a_blank() -> None:
    canvas = Canvas(4, 1)
    canvas.paint(0, 0, [("漢字", PLAIN)])
    canvas.paint(1, 0, [("x", PLAIN)])
    assert canvas.frame().rows[0] == [BLANK, ("x", PLAIN), ("字", PLAIN), ("", PLAIN)]
    canvas.paint(2, 0, [("y", PLAIN)])
    assert canvas.frame().rows[0] == [BLANK, ("x", PLAIN), ("y", PLAIN), BLANK]
    canvas.paint(3, 0, [("漢", PLAIN)])
    assert canvas.frame().rows[0][3] == BLANK


def test_a_frame_never_changes_after_it_was_handed_over() -> None:
    canvas = Canvas(4, 1)
    canvas.paint(0, 0, [("1234", PLAIN)])
    frame = canvas.frame()
    canvas.paint(0, 0, [("5", PLAIN)])
    assert [text for text, _ in frame.rows[0]] == list("1234")


def test_a_link_is_opened_and_closed() -> None:
    canvas, encoder = Canvas(10, 1), Encoder()
    linked = Pen(link="id=7;https://example.com/")
    canvas.paint(0, 0, [("ab", linked), ("c", PLAIN)])
    sent = encoder.draw(canvas.frame())
    assert "\x1b]8;id=7;https://example.com/\x1b\\ab\x1b]8;;\x1b\\c" in sent
    canvas.paint(0, 0, [("abc", linked)])
    encoder.draw(canvas.frame())
    assert encoder.forget() == "\x1b]8;;\x1b\\\x1b[m"
