"""The text of a split file, as nginx would read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cockpit.adapters.base import AdapterError
from cockpit.adapters.flags.nginx_settings import NginxSettings
from cockpit.adapters.flags.nginx_split import Names, find_block, told_percent, with_percent, without_new
from cockpit.core.clean import FULL, ZERO, Percent
from cockpit.plan.problems import PlanProblems
from tests.adapters.flags.test_unleash_mutations import assert_clean
from tests.tables import written

NAMES = Names(legacy="legacy", new="new")
PLAIN = 'split_clients "${remote_addr}x" $reads {\n    25% new;\n    * legacy;\n}\n'


def told(text: str) -> tuple[Percent | None, tuple[str, ...]]:
    return told_percent(find_block(text, "reads"), NAMES)


@given(hundredths=st.integers(0, 10_000))
def test_what_is_written_is_read(hundredths: int) -> None:
    assert told(with_percent(PLAIN, "reads", Percent(hundredths), NAMES)) == (Percent(hundredths), ())


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "split_clients $remote_addr $reads{25% new;* legacy;}",
        "# split_clients x $reads { 99% new; * legacy; }\n" + PLAIN,
        'log_format x "split_clients a $reads { 99% new; }";\n' + PLAIN,
        "split_clients a $other { 1% new; * legacy; }\n" + PLAIN,
        PLAIN.replace("25% new;", "25% new; # 30% new;"),
        PLAIN.replace("25%", "25.00%").replace(" new", "\t new"),
    ],
)
def test_one_plain_percentage(text: str) -> None:
    assert told(text) == (Percent.parse(25), ())
    killed = without_new(text, "reads", NAMES)
    assert told(killed) == (ZERO, ())
    assert without_new(killed, "reads", NAMES) == killed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("25% new; 10% third; * legacy;", "some go to third"),
        ("25% new;", "the rest (*) does not go to legacy"),
        ("25% legacy; * new;", "the rest (*) does not go to legacy"),
        ("5% new; 5% new; * legacy;", "new stands there more than once"),
        ("101% new; * legacy;", "no share from 0 to 100"),
        ("x% new; * legacy;", "no share from 0 to 100"),
        ("25.123% new; * legacy;", "no share from 0 to 100"),
    ],
)
def test_what_is_not_plain(body: str, words: str) -> None:
    text = f"split_clients a $reads {{ {body} }}"
    assert any(words in note for note in told(text)[1])
    percent, _ = told(without_new(text, "reads", NAMES))
    assert percent == ZERO


@pytest.mark.parametrize(
    "text",
    [
        "",
        "split_clients a $other { * legacy; }",
        "split_clients a $reads",
        "split_clients a $reads {",
        "split_clients a $reads { 25% new; * legacy;",
        "split_clients a $reads { 25% new * legacy; }",
        "split_clients a $reads { 25% { new; } }",
        PLAIN + PLAIN,
        'split_clients "a $reads { * legacy; }',
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(AdapterError):
        find_block(text, "reads")


PIECES = st.sampled_from(
    [
        *("split_clients", "split_clients a $reads {", " $reads ", "25%", "new", "*", "legacy"),
        *(" ", "\n", "{", "}", ";", '"', "'", "\\", "#", "\x1b", "${"),
    ]
)


@given(pieces=st.lists(PIECES, max_size=30))
def test_whatever_stands_there_is_a_block_or_our_error(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        _, notes = told(text)
    except AdapterError as error:
        assert_clean(error.failure.title)
        return
    for note in notes:
        assert_clean(note)
    assert told(without_new(text, "reads", NAMES))[0] == ZERO


def test_a_kill_leaves_other_blocks_alone() -> None:
    other = PLAIN.replace("$reads", "$writes")
    assert without_new(other + PLAIN, "reads", NAMES).startswith(other)
    assert told(with_percent(other + PLAIN, "reads", FULL, NAMES)) == (FULL, ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"file": "split.conf"},
        {"pid_file": "run/nginx.pid"},
        {"new": "a;b"},
        {"legacy": "{"},
        {"test": ["nginx", "-t"]},
        {"test": []},
        {"reload": "systemctl reload nginx"},
        {"reload": ["/bin/sh\0"]},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, object]) -> None:
    with pytest.raises(PlanProblems):
        written(NginxSettings, {"file": "/etc/s.conf", "pid_file": "/run/nginx.pid", **wrong})
