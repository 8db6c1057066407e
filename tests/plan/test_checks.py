"""What keys say about each other, and how single values are refused (beyond the broken sample)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cockpit.core.model import Side
from cockpit.core.spec import Plan
from cockpit.plan.problems import PlanProblems
from tests.plan.plans import SMALL, changed, load_text, problems_of


def _flags(**needs: list[str]) -> str:
    head = SMALL.partition("[[flag]]")[0]
    tables = (
        f'[[flag]]\nkey = "{key}"\ntitle = "T"\nservice = "main"\nstages = [{{ percent = 1 }}]\n'
        f"depends_on = {named}\n"
        for key, named in needs.items()
    )
    return head + "".join(tables)


def test_every_circle_of_flags_is_named_once(tmp_path: Path) -> None:
    said = problems_of(_flags(a=["b"], b=["c"], c=["a"], d=["e"], e=["d", "a"], f=["a", "e"]), tmp_path)
    circles = [line.partition("circle: ")[2] for line in said]
    assert circles == ["a -> b -> c -> a", "d -> e -> d"]


def test_a_diamond_is_no_circle(tmp_path: Path) -> None:
    plan = load_text(_flags(a=["b", "c"], b=["d"], c=["d"], d=[]), tmp_path)
    assert len(plan.flags) == 4


def test_a_chain_of_a_thousand_flags_is_judged(tmp_path: Path) -> None:
    chain = {f"f{place}": [f"f{place + 1}"] for place in range(1000)}
    said = problems_of(_flags(**chain, f1000=["f0"]), tmp_path)
    assert len(said) == 1 and "f0 -> f1 -> f2" in said[0]


def test_a_rollout_may_end_below_everybody(tmp_path: Path) -> None:
    plan = load_text(changed("{ percent = 100 }", "{ percent = 12.5 }"), tmp_path)
    assert [str(stage.percent) for stage in plan.flag("chat_writes").stages] == ["10%", "12.5%"]


@pytest.mark.parametrize(
    ("timeout", "poll", "refused"), [("2s", "2s", True), ("1900ms", "2s", False), ("3s", "4s", False)]
)
def test_a_timeout_is_held_against_the_interval_that_counts(
    tmp_path: Path, timeout: str, poll: str, refused: bool
) -> None:
    text = changed('kind = "unleash"', f'kind = "unleash"\ntimeout = "{timeout}"')
    text += f'\n[poll]\nflags = "{poll}"\n'
    if refused:
        assert "flag_service.main.timeout" in problems_of(text, tmp_path)[0]
    else:
        assert load_text(text, tmp_path).flag_services[0].timeout_s < float(poll[:-1])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            '[[flag]]\nkey = "chat_reads"',
            '[flags]\nkey = "chat_reads"',
            'unknown key "flags"; did you mean "flag"?',
        ),
        ('title = "Chat"', 'title = "Chat"\nflag_services = 1', 'did you mean "flag_service"?'),
        (
            'title = "Chat"',
            'title = "Chat"\nzzz = 1',
            'unknown key "zzz"; expected one of: announce, approvals',
        ),
        ('title = "Chat"', "title = true", "expected text in quotes, not true or false"),
        ('title = "Chat"', "title = 2026-01-01", "expected text in quotes, not a date or time"),
        ('title = "Chat"', f'title = "{"x" * 201}"', "the text is too long; expected at most 200 characters"),
        ('title = "Chat"', 'title = "Chat\\u202e"', "hidden or control characters"),
        ("percent = 50", "percent = inf", "inf does not fit; expected a percentage"),
        ("percent = 50", "percent = true", "true does not fit; expected a percentage"),
        ("percent = 50", "precent = 50", 'unknown key "precent"; did you mean "percent"?'),
        ('hold = "1m"', "hold = 60", '60 is not a duration; expected a duration such as "30s"'),
        ('hold = "1m"', f'hold = "{"9" * 400}w"', "is too long; expected at most 366d"),
        ('budget = "15m"', 'budget = "15s"', 'expected a budget from "1m" to "24h"'),
        ('budget = "15m"', 'point_of_no_return = "2026-09-01"', "is not a time; expected a time with a zone"),
        ('budget = "15m"', "point_of_no_return = 2026-09-01", "is not a time; expected a time with a zone"),
        ('budget = "15m"', "point_of_no_return = 0001-01-01T00:00:00+23:00", "does not fit"),
        ('new = "new"', f'new = "{"x" * 4001}"', "the query is too long"),
        ('new = "new"', 'new = "n\\u0000w"', "the query holds hidden characters"),
        ('monitor = "prom"\nlegacy = {', 'monitor = "Prom"\nlegacy = {', 'did you mean "prom"?'),
        (
            'token = { env = "READ_TOKEN" }',
            'token = { env = "a b" }',
            "expected the name of an environment variable",
        ),
        ('token = { env = "READ_TOKEN" }', "token = {}", "nothing given; expected a secret by reference"),
        ('token = { env = "READ_TOKEN" }', "token = 5", "expected a secret by reference"),
        (
            'token = { env = "READ_TOKEN" }',
            'token = { env = "X", timeout = "1s" }',
            "only a command has a timeout",
        ),
        (
            'token = { env = "READ_TOKEN" }',
            'token = { command = ["pass"], timeout = 5 }',
            "5 is not a duration",
        ),
    ],
)
def test_a_mistake_is_explained(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert any(expected in line for line in problems_of(changed(old, new), tmp_path))


def test_a_flag_table_instead_of_a_list_says_what_belongs_there(tmp_path: Path) -> None:
    text = SMALL.partition("[[flag]]")[0] + '[flag]\nkey = "x"\n'
    assert problems_of(text, tmp_path) == [
        f"{text.splitlines().index('[flag]') + 1}: flag: expected a list of tables, not a table"
    ]


def test_a_number_may_be_whole_where_a_fraction_is_allowed(tmp_path: Path) -> None:
    plan = load_text(SMALL + "\n[judge]\nmin_total = 30\n", tmp_path)
    assert plan.judge.min_total == 30.0


def _rollback(steps: str, tmp_path: Path) -> Plan:
    return load_text(SMALL + steps, tmp_path)


def test_usual_steps_share_the_budget(tmp_path: Path) -> None:
    steps = load_text(SMALL, tmp_path).rollback.steps
    assert [(step.id, step.budget_s) for step in steps] == [
        ("declare", 30),
        ("freeze", 60),
        ("prove", 105),
        ("flip", 180),
        ("drain", 420),
        ("verify", 600),
        ("reconcile", 780),
        ("announce", 780),
        ("close", 900),
    ]
    halved = load_text(changed('budget = "15m"', 'budget = "450s"'), tmp_path).rollback.steps
    assert [step.budget_s for step in halved] == [15, 30, 52, 90, 210, 300, 390, 390, 450]


def test_steps_are_replaced_dropped_and_added_in_the_order_of_their_budgets(tmp_path: Path) -> None:
    plan = _rollback(
        """
[[rollback.step]]
id = "reconcile"
manual = true
text = "Compare the ledgers."
budget = "11m"
[[rollback.step]]
id = "announce"
drop = true
[[rollback.step]]
id = "flip"
budget = "2m"
title = "Back"
[[rollback.step]]
id = "call support"
title = "Call support"
manual = true
budget = "5m"
text = "Tell the shift lead."
""",
        tmp_path,
    )
    steps = [(step.id, step.key.value, step.title, step.budget_s) for step in plan.rollback.steps]
    assert steps[3:] == [
        ("flip", "flip", "Back", 120),
        ("call support", "manual", "Call support", 300),
        ("drain", "drain", "Drain the new side", 420),
        ("verify", "verify", "Verify the legacy side", 600),
        ("reconcile", "manual", "Reconcile new-side writes", 660),
        ("close", "close", "Close", 900),
    ]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ('id = "declare"\ndrop = true', '"declare" cannot be dropped'),
        ('id = "close"\ndrop = true', '"close" cannot be dropped'),
        ('id = "prove"\nmanual = true\ntext = "x"', '"prove" cannot be made manual'),
        ('id = "verify"\nmanual = true', "text: is missing; expected what the person has to do"),
        ('id = "verify"\nbudget = "5m"', '"verify" would have to be done at 5m, before "drain" at 7m'),
        ('id = "drain"\nbudget = "12m"', '"verify" would have to be done at 10m, before "drain" at 12m'),
        ('id = "drain"\nbudget = "16m"', "16m is longer than the whole budget of 15m"),
        ('id = "drian"\nbudget = "5m"', 'unknown step "drian"; did you mean "drain"? A step of your own'),
        ('id = "own"\nmanual = true\ndrop = true', "a step of your own is dropped by leaving it out"),
        ('id = "own"\nmanual = true\ntitle = "O"\ntext = "x"', "budget: is missing"),
        (
            'id = "own"\nmanual = true\ntitle = "O"\ntext = "x"\nbudget = "1m"',
            "1m does not fit; expected from 3m (flip) to 15m (all)",
        ),
    ],
)
def test_steps_that_contradict_are_refused(tmp_path: Path, step: str, expected: str) -> None:
    with pytest.raises(PlanProblems) as raised:
        _rollback(f"\n[[rollback.step]]\n{step}\n", tmp_path)
    assert expected in str(raised.value)
    assert len(raised.value.problems) <= 2


# --- a signal on two monitors -------------------------------------------------------------------------

TWO = SMALL.replace(
    "[backend.legacy]\n",
    '[monitor.other]\nkind = "prometheus"\nurl = "https://other.example.com"\n\n[backend.legacy]\n',
    1,
)


def _signal(head: str, legacy: str, new: str) -> str:
    pair = 'bad = "b", total = "t"'
    return TWO + (
        f'\n[[signal]]\nname = "two"\ntitle = "Two"\n{head}'
        f"legacy = {{ {legacy}{pair} }}\nnew = {{ {new}{pair} }}\n"
    )


PROM, OTHER = 'monitor = "prom"', 'monitor = "other"'


@pytest.mark.parametrize(
    ("head", "legacy", "new"),
    [
        ("", f"{PROM}, ", f"{OTHER}, "),
        (f"{PROM}\n", "", f"{OTHER}, "),
        (f"{OTHER}\n", f"{PROM}, ", ""),
    ],
)
def test_each_side_is_counted_by_its_own_monitor_else_by_the_signals(
    tmp_path: Path, head: str, legacy: str, new: str
) -> None:
    """The same queries on both sides are no mistake then: another monitor counts another side."""
    signal = load_text(_signal(head, legacy, new), tmp_path).signals[-1]
    assert [signal.monitor_of(side) for side in Side] == ["prom", "other"]
    assert signal.monitors == ("prom", "other")
    assert signal.sides_of("other") == (Side.NEW,)


@pytest.mark.parametrize(
    ("head", "legacy", "new", "words"),
    [
        ("", "", "", "signal[two]: neither it nor a side names a monitor; expected monitor in the signal"),
        (
            "",
            f"{PROM}, ",
            "",
            "signal[two]: the new side names no monitor; expected monitor in the signal or its new side",
        ),
        (
            f"{PROM}\n",
            f"{PROM}, ",
            f"{OTHER}, ",
            "signal[two].monitor: is asked for neither side, both name their own; take it away",
        ),
        (f"{PROM}\n", "", f"{PROM}, ", "signal[two].new: both sides have the same query"),
        (
            f"{PROM}\n",
            'monitor = "othr", ',
            "",
            'signal[two].legacy.monitor: unknown monitor "othr"; did you mean "other"?',
        ),
    ],
)
def test_a_side_that_nobody_counts_is_named(
    tmp_path: Path, head: str, legacy: str, new: str, words: str
) -> None:
    said = problems_of(_signal(head, legacy, new), tmp_path)
    assert any(words in line for line in said)


PAGES = """
[flag.old_bundle]
monitor = "prom"
query = "sum(old_pages)"
owner = "web on call"
"""


def test_old_pages_of_a_flag_are_a_gauge_that_only_its_own_rollback_waits_for(tmp_path: Path) -> None:
    text = SMALL
    end = text.find("\n[[", text.index("[[flag]]") + 1)
    plan = load_text(text[:end] + PAGES + text[end:], tmp_path)
    (gauge,) = plan.rollback.drain
    assert (gauge.flag, gauge.side, gauge.below, gauge.owner) == (
        plan.flags[0].key,
        Side.NEW,
        1,
        "web on call",
    )
    assert gauge.name == f"{plan.flags[0].key} (old pages)"
    (problem,) = problems_of(text[:end] + PAGES.replace('"prom"', '"prmo"') + text[end:], tmp_path)
    assert "old_bundle.monitor: unknown monitor" in problem
    assert not plan.in_pages(plan.flags[0])
