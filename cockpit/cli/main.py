"""Every command of `cockpit`, its options and its help."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

from cockpit import __version__
from cockpit.cli.output import OutputLost, say_error, speak_plainly
from cockpit.cli.thrift import wait_for_the_start

PLAN = click.argument("plan", type=click.Path(path_type=Path))
JOURNAL = click.argument("plan_or_file", type=click.Path(path_type=Path), metavar="PLAN|FILE")
THEME = click.option("--theme", default=None, help="A theme by name; `t` changes it while flying.")
MOUSE = click.option("--mouse", is_flag=True, help="Let the mouse work (it then cannot select text).")
POLL = click.option(
    "--poll", is_flag=True, help="While nobody publishes, ask every service from here (needs read secrets)."
)
SEED = click.option("--seed", type=int, default=None, help="Repeat the same practice world.")


def _finite(context: click.Context, parameter: click.Parameter, seconds: float) -> float:
    """A range lets NaN through."""
    if not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is not a number of seconds")
    return seconds


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cockpit")
def cli() -> None:
    """A cockpit for live migration cutover: see the truth, roll back with two presses of one key."""


@cli.command()
@click.option(
    "--fault-after",
    type=click.FloatRange(0, 86_400),
    default=60.0,
    show_default=True,
    callback=_finite,
    help="Seconds until the new side goes bad.",
)
@SEED
@THEME
@MOUSE
def demo(fault_after: float, seed: int | None, theme: str | None, mouse: bool) -> None:
    """Fly a practice world on this machine; nothing to configure, nothing real is touched."""
    from cockpit.cli.practising import run_demo

    sys.exit(run_demo(fault_after_s=fault_after, seed=seed, theme=theme, mouse=mouse))


@cli.command()
@PLAN
@THEME
@MOUSE
def fly(plan: Path, theme: str | None, mouse: bool) -> None:
    """Drive a cutover by PLAN."""
    from cockpit.cli.flying import run_fly

    sys.exit(run_fly(plan, theme=theme, mouse=mouse))


@cli.command()
@PLAN
@POLL
@THEME
@MOUSE
def watch(plan: Path, poll: bool, theme: str | None, mouse: bool) -> None:
    """Look over the shoulder of whoever flies PLAN on this host. Needs no credential and asks no service."""
    from cockpit.cli.watching import run_watch

    sys.exit(run_watch(plan, theme=theme, mouse=mouse, poll=poll))


@cli.command()
@PLAN
@POLL
@THEME
def wall(plan: Path, poll: bool, theme: str | None) -> None:
    """A read-only screen in large type for the war room. Holds no write secret and cannot write.

    Follows whoever flies PLAN on this host; asks the services by itself only while nobody ever did, or
    with --poll.
    """
    from cockpit.cli.watching import run_wall

    sys.exit(run_wall(plan, theme=theme, poll=poll))


@cli.command()
@click.argument("plan", type=click.Path(path_type=Path), required=False)
@click.argument("scenario", required=False)
@SEED
@THEME
def drill(plan: Path | None, scenario: str | None, seed: int | None, theme: str | None) -> None:
    """A rollback drill in a practice world: a fault you are not told, and a debrief of your times.

    Flies PLAN's flags, signals and steps (default: the chat-sync sample). SCENARIO names a fault for
    trainers; without it one is drawn.
    """
    from cockpit.cli.practising import run_drill

    sys.exit(run_drill(plan, scenario=scenario, seed=seed, theme=theme))


@cli.command()
@PLAN
@click.option("--offline", is_flag=True, help="Only read the plan; ask no service.")
def check(plan: Path, offline: bool) -> None:
    """Validate PLAN, then ask every service: can I read, may I write, is it who it says it is?"""
    from cockpit.cli.checking import run_check

    sys.exit(run_check(plan, offline=offline))


@cli.command()
@PLAN
@click.option("--test", "name", required=True, metavar="NAME", help="The announcement of this name.")
def announce(plan: Path, name: str) -> None:
    """Send one labelled test message, to see before the night that it arrives."""
    from cockpit.cli.announcing import run_test

    sys.exit(run_test(plan, name))


@cli.command()
@PLAN
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--follow", is_flag=True, help="A line whenever something changes, until interrupted.")
def status(plan: Path, as_json: bool, follow: bool) -> None:
    """Say how it stands in plain lines. Exit 0 fine, 1 regressed or failing, 3 unknown."""
    from cockpit.cli.looking import run_status

    sys.exit(run_status(plan, as_json=as_json, follow=follow))


@cli.command()
@PLAN
@click.argument("flags", nargs=-1)
@click.option("--reason", required=True, help="Why; goes to the journal and the hooks.")
@click.option("--second-lever", is_flag=True, help="Pull a flag's second lever when its first one fails.")
def rollback(plan: Path, flags: tuple[str, ...], reason: str, second_lever: bool) -> None:
    """Roll back without a screen: all flags, or FLAGS and everything that depends on them.

    Ends when the machine's steps are done or only people can go on; what they have to do stays open in the
    journal. A drain that does not end is waited for until the rollback's deadline (its budget, 15 minutes
    where the plan says nothing else); a line says what is waited for, and the time left.

    Exit 0 users are back, 1 a flag is not at zero, 3 all are but their drain is not proved.
    """
    from cockpit.cli.headless import run_rollback

    sys.exit(run_rollback(plan, flags=flags, reason=reason, second_lever=second_lever))


@cli.command()
@PLAN
@click.option("--json", "as_json", is_flag=True, help="JSON instead of Markdown.")
def report(plan: Path, as_json: bool) -> None:
    """The record of PLAN's flight, from the journal alone."""
    from cockpit.cli.reporting import run_report

    sys.exit(run_report(plan, as_json=as_json))


@cli.group()
def journal() -> None:
    """Check the journal's chain, or hand it on."""


@journal.command()
@JOURNAL
def verify(plan_or_file: Path) -> None:
    """Recompute the chain of hashes and say where it breaks. Takes a plan, or a copy of a journal.

    Exit 0 whole, 1 broken, 2 not checked. Events missing at the end break no chain: compare the last hash
    with one you kept (the report prints it).
    """
    from cockpit.cli.journaling import run_verify

    sys.exit(run_verify(plan_or_file))


@journal.command()
@JOURNAL
def export(plan_or_file: Path) -> None:
    """Every event as one line of JSON: seq, at, actor, kind, body, hash. Exit 0 all, 1 not all, 2 none."""
    from cockpit.cli.journaling import run_export

    sys.exit(run_export(plan_or_file))


@cli.command()
def schema() -> None:
    """Print the JSON Schema of plans, for editors."""
    from cockpit.cli.checking import run_schema

    sys.exit(run_schema())


def main() -> None:
    """The console entry point."""
    wait_for_the_start()
    speak_plainly()
    try:
        cli(prog_name="cockpit")
    except OutputLost as lost:
        say_error(str(lost))
        sys.exit(1)
