"""What changed between two plans, in the words that the person at the screen reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.plan.change import describe_change
from cockpit.plan.load import load
from tests.plan.plans import KINDS, SAMPLES, SMALL, changed, load_text

COUNTER = '[[rollback.write_counter]]\nname = "w"\nmonitor = "prom"\nquery = "q"\n'
SOCKETS = COUNTER.replace("write_counter", "drain") + 'side = "new"\nbelow = 1\n'
PAGER = '[[announce]]\nname = "p"\nkind = "command"\ncommand = ["x"]\non = ["closed"]\n'


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("percent = 50", "percent = 30", ["flag chat_reads: stage 1 percent 50% -> 30%"]),
        ('hold = "1m"', 'hold = "90s"', ["flag chat_writes: stage 1 hold 1m -> 1m30s"]),
        (", { percent = 100 }", "", ["flag chat_writes: stage 2 removed (100%)"]),
        (
            "stages = [{ percent = 50 }]",
            "stages = [{ percent = 50 }, { percent = 75 }]",
            ["flag chat_reads: stage 2 added (75%)"],
        ),
        (
            'title = "Errors"',
            'title = "Errors"\nlimit = { max_pct = 5 }',
            ["signal errors: limit added 5%"],
        ),
        ('title = "Chat"', 'title = "Chat!"', ['plan: title "Chat" -> "Chat!"']),
        ('new_all"', 'new_sum"', ["signal errors: new total changed"]),
        ('new = "new" }', 'new = "n" }', ["flag chat_reads: traffic new changed"]),
        ('depends_on = ["chat_writes"]\n', "", ['flag chat_reads: depends on "chat_writes" -> none']),
        ("https://flags.", "https://flag.", [
            "flag service main: url https://flags.example.com -> https://flag.example.com"
        ]),
        ('{ env = "READ_TOKEN" }', '{ env = "OTHER" }', [
            "flag service main: token env READ_TOKEN -> env OTHER"
        ]),
        ("https://new.", "https://newer.", [
            "backend new: probe health: url https://new.example.com/health -> https://newer.example.com/health"
        ]),
        ('budget = "15m"', 'budget = "30m"\nescalate_after = "12m"', [
            "rollback: budget 15m -> 30m",
            "rollback: step declare: budget 30s -> 1m",
        ]),
        ('budget = "15m"', 'budget = "15m"\npoint_of_no_return = 2026-09-01T06:00:00Z', [
            "rollback: point of no return added 2026-09-01T06:00:00+00:00"
        ]),
        ('budget = "15m"', 'budget = "15m"\n[[rollback.step]]\nid = "announce"\ndrop = true', [
            "rollback: step announce: removed"
        ]),
        ('budget = "15m"', f'budget = "15m"\n{COUNTER}', ["rollback: write counter w: added"]),
        ('budget = "15m"', f'budget = "15m"\n{SOCKETS}', ["rollback: drain gauge w: added"]),
        ("[rollback]\n", "[judge]\nalpha = 0.02\n[rollback]\n", ["judge: alpha 0.01 -> 0.02"]),
        ("[rollback]\n", f"{PAGER}[rollback]\n", ["announcement p: added"]),
        ('key = "chat_reads"', 'key = "chat_read"', ["flag chat_reads: removed", "flag chat_read: added"]),
    ],
)  # fmt: skip
def test_a_change_is_one_line(tmp_path: Path, old: str, new: str, lines: list[str]) -> None:
    before, after = load_text(SMALL, tmp_path), load_text(changed(old, new), tmp_path)
    assert list(describe_change(before, after))[: len(lines)] == lines


def test_the_same_plan_has_no_change(tmp_path: Path) -> None:
    before, after = load_text(SMALL, tmp_path), load_text(SMALL + "# only a comment\n", tmp_path)
    assert before.digest != after.digest
    assert describe_change(before, after) == ()


def test_an_order_that_changed_is_said(tmp_path: Path) -> None:
    head, first, second = SMALL.partition("[[signal]]")[0].split("[[flag]]")
    swapped = "[[flag]]".join((head, second, first)) + "[[signal]]" + SMALL.partition("[[signal]]")[2]
    lines = describe_change(load_text(SMALL, tmp_path), load_text(swapped, tmp_path))
    assert lines == ("flags: order is now chat_reads, chat_writes",)


def test_secrets_and_headers_are_not_shown(tmp_path: Path) -> None:
    probe = 'url = "https://new.example.com/health"'
    one = load_text(changed(probe, f'{probe}\nheaders = {{ X-Key = "abc-secret" }}'), tmp_path)
    two = load_text(changed(probe, f'{probe}\nheaders = {{ X-Key = "def-secret" }}'), tmp_path)
    command = changed('{ env = "READ_TOKEN" }', '{ command = ["vault", "abc-secret"] }')
    three = load_text(command, tmp_path)
    four = load_text(command.replace("abc-secret", "def-secret"), tmp_path)
    assert describe_change(one, two) == ("backend new: probe health: headers changed",)
    assert describe_change(three, four) == ("flag service main: token changed",)


def test_a_query_in_an_address_is_not_shown(tmp_path: Path) -> None:
    one = load_text(SMALL.replace("com/health", "com/health?key=abc"), tmp_path)
    two = load_text(SMALL.replace("com/health", "com/health?key=def"), tmp_path)
    assert describe_change(one, two) == (
        "backend legacy: probe health: url changed",
        "backend new: probe health: url changed",
    )


def test_moments_and_checks_are_named_as_in_the_plan(tmp_path: Path) -> None:
    probe = 'url = "https://new.example.com/health"'
    check = changed(probe, f'{probe}\njson = {{ pointer = "/status", equals = "ok" }}')
    one, two = (
        load_text(check + PAGER, tmp_path),
        load_text(SMALL + PAGER.replace('"closed"', '"flipped"'), tmp_path),
    )
    three = load_text(check.replace('"ok"', '"up"') + PAGER, tmp_path)
    assert describe_change(one, two) == (
        "backend new: probe health: json removed",
        "announcement p: moments closed -> flipped",
    )
    four = load_text(SMALL + PAGER.replace('["x"]', '["x", "--token", "abc-secret"]'), tmp_path)
    slow = load_text(changed(probe, f'{probe}\nlatency_limit = "500ms"'), tmp_path)
    slower = load_text(changed(probe, f'{probe}\nlatency_limit = "2s"'), tmp_path)
    assert describe_change(slow, slower) == ("backend new: probe health: latency limit 500ms -> 2s",)
    assert describe_change(two, four)[0] == "announcement p: command changed"
    assert describe_change(one, three) == ('backend new: probe health: json equals "ok" -> "up"',)


def test_quite_another_plan_is_described_without_trouble(tmp_path: Path) -> None:
    small, sample = load_text(SMALL, tmp_path), load(SAMPLES / "chat-sync.toml", KINDS)
    for before, after in ((small, sample), (sample, small)):
        lines = describe_change(before, after)
        assert len(lines) > 10
        assert all(line.isprintable() and len(line) <= 160 for line in lines)
