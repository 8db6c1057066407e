"""`python -m cockpit.practice --plan FILE`: the practice world by hand, commands on standard input.

An entry point like the command line itself, and therefore the one file of this room that meets the
adapters' settings and the real clock.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cockpit.adapters.table import ANNOUNCERS, FLAG_SERVICES, MONITORS, PROBES, STORES, SettingsByKind
from cockpit.core.spec import Plan
from cockpit.engine.clock import SystemClock
from cockpit.plan.kinds import Kinds
from cockpit.plan.load import load
from cockpit.plan.problems import PlanProblems
from cockpit.practice.console import answer
from cockpit.practice.server import PracticeServer
from cockpit.practice.world import DEFAULT_RPS


@click.command()
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), required=True, help="A plan in TOML.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same traffic.")
@click.option(
    "--rps", type=float, default=DEFAULT_RPS, show_default=True, help="Requests per second and flag."
)
def main(plan_file: Path, seed: int, rps: float) -> None:
    """Run the practice world for a plan and take commands; `help` lists them."""
    plan = _read(plan_file)
    with PracticeServer(plan, seed=seed, clock=SystemClock(), rps=rps) as practice:
        for service, url in practice.urls.items():
            click.echo(f"{service:<12}{url}")
        for line in sys.stdin:
            if line.strip() in ("quit", "exit"):
                return
            click.echo(answer(practice.world, plan, line))


def _read(plan_file: Path) -> Plan:
    kinds = Kinds(
        flag_services=SettingsByKind(FLAG_SERVICES),
        probes=SettingsByKind(PROBES),
        monitors=SettingsByKind(MONITORS),
        announcers=SettingsByKind(ANNOUNCERS),
        stores=SettingsByKind(STORES),
    )
    try:
        return load(plan_file, kinds)
    except PlanProblems as trouble:
        for problem in trouble.problems:
            click.echo(problem, err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
