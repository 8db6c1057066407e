"""What the keys of a plan say about each other.

These checks look at the document as it was written, not at the models, so that they speak up even
while single values elsewhere are wrong: one run shows everything. A value that its own field refuses
is passed over in silence here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from cockpit.plan import fields, values
from cockpit.plan.checklist import check_checklist
from cockpit.plan.kinds import Kinds, kind_tables
from cockpit.plan.locate import TomlPath
from cockpit.plan.parity import check_parity
from cockpit.plan.parity_fields import Store
from cockpit.plan.problems import Report, unknown
from cockpit.plan.shape import default
from cockpit.plan.step_checks import check_rollback
from cockpit.plan.tree import Document, at, inner, inner_items, items, number, read, subtables, texts
from cockpit.plan.written import Table

_NAMED: Final = (
    ("flag", "key"),
    ("signal", "name"),
    ("announce", "name"),
    ("parity", "name"),
    ("check", "name"),
    ("backend", "legacy", "probe", "name"),
    ("backend", "new", "probe", "name"),
    ("rollback", "write_counter", "name"),
    ("rollback", "ready", "name"),
    ("rollback", "drain", "name"),
    ("rollback", "step", "id"),
)


def check(document: Document, kinds: Kinds, report: Report) -> None:
    """Every cross check, each reporting on its own."""
    _check_names(document, report)
    _check_references(document, report)
    _check_dependencies(document, report)
    _check_second_levers(document, report)
    _check_stages(document, report)
    _check_timeouts(document, kinds, report)
    _check_legacy_probes(document, report)
    _check_monitors(document, report)
    _check_queries(document, report)
    _check_judging(document, report)
    check_rollback(document, report)
    check_parity(document, report)
    check_checklist(document, report)


def _check_names(document: Document, report: Report) -> None:
    for *path, key in _NAMED:
        seen: set[str] = set()
        for place, name in texts(items(document, *path), key):
            if name in seen:
                report.add(place, f"{values.shown(name)} is used twice; expected a name of its own")
            seen.add(name)


def _check_references(document: Document, report: Report) -> None:
    services = [str(path[1]) for path, _ in subtables(document, "flag_service")]
    monitors = [str(path[1]) for path, _ in subtables(document, "monitor")]
    flags = [key for _, key in texts(items(document, "flag"), "key")]
    for tables in (items(document, "flag"), inner(items(document, "flag"), "second")):
        for path, name in texts(tables, "service"):
            _refer(path, name, "flag service", services, report)
    asking = (
        items(document, "signal"),
        items(document, "rollback", "write_counter"),
        items(document, "rollback", "ready"),
        items(document, "rollback", "drain"),
        inner(items(document, "flag"), "traffic"),
        inner(items(document, "signal"), "legacy"),
        inner(items(document, "signal"), "new"),
        inner(items(document, "flag"), "old_bundle"),
    )
    for tables in asking:
        for path, name in texts(tables, "monitor"):
            _refer(path, name, "monitor", monitors, report)
    for path, name in _dependencies(document):
        _refer(path, name, "flag", flags, report)


def _refer(path: TomlPath, name: str, what: str, known: Collection[str], report: Report) -> None:
    if name not in known:
        report.add(path, unknown(what, name, known))


def _dependencies(document: Document) -> Iterator[tuple[TomlPath, str]]:
    """The place and key of every flag that some flag depends on."""
    for path, table in items(document, "flag"):
        named = table.get("depends_on")
        for index, key in enumerate(named if isinstance(named, list) else ()):
            if isinstance(key, str):
                yield (*path, "depends_on", index), key


def _check_dependencies(document: Document, report: Report) -> None:
    """A flag that waits for itself never moves, and has no order to be taken back in."""
    needs: dict[str, list[str]] = {}
    places: dict[str, TomlPath] = {}
    for path, table in items(document, "flag"):
        key, named = table.get("key"), table.get("depends_on")
        if isinstance(key, str) and isinstance(named, list):
            needs.setdefault(key, []).extend(one for one in named if isinstance(one, str))
            places.setdefault(key, (*path, "depends_on"))
    for cycle in _cycles(needs):
        if len(cycle) == 1:
            report.add(places[cycle[0]], f'flag "{cycle[0]}" depends on itself')
        else:
            way = " -> ".join((*cycle, cycle[0]))
            report.add(places[cycle[0]], f"flags depend on each other in a circle: {way}")


def _cycles(needs: Mapping[str, list[str]]) -> list[tuple[str, ...]]:
    """Each circle once, beginning with the flag that stands first in the plan."""
    order = {key: place for place, key in enumerate(needs)}
    found: dict[frozenset[str], tuple[str, ...]] = {}
    done: set[str] = set()
    for start in needs:
        trail: list[str] = []
        branches: list[Iterator[str]] = [iter([start])]
        while branches:
            key = next(branches[-1], None)
            if key is None:
                branches.pop()
                if trail:
                    done.add(trail.pop())
            elif key in trail:
                circle = trail[trail.index(key) :]
                first = circle.index(min(circle, key=order.__getitem__))
                found.setdefault(frozenset(circle), (*circle[first:], *circle[:first]))
            elif key in needs and key not in done:
                trail.append(key)
                branches.append(iter(needs[key]))
    return list(found.values())


def _check_second_levers(document: Document, report: Report) -> None:
    """A lever that hangs on the same service as the first one fails with it."""
    for path, flag in items(document, "flag"):
        second = flag.get("second")
        if not isinstance(second, dict):
            continue
        place = (*path, "second")
        named = [key for key in ("service", "manual") if key in second]
        if len(named) != 1:
            found = "names both service and manual" if named else "names neither service nor manual"
            report.add(place, f"{found}; expected exactly one of them")
        if "key" in second and "service" not in second:
            report.add((*place, "key"), "only a service knows the flag by a name; expected it beside service")
        if "service" in second and second["service"] == flag.get("service"):
            report.add((*place, "service"), "is the flag's own service; expected another lever")


def _check_stages(document: Document, report: Report) -> None:
    for flag in items(document, "flag"):
        before = 0
        for path, stage in inner_items([flag], "stages"):
            percent = read(values.percent, stage.get("percent"))
            if percent is None:
                continue
            if percent.hundredths <= before:
                words = f"more than {before / 100:g}" if before else "more than 0"
                report.add((*path, "percent"), f"{percent} does not rise; expected {words}")
            before = max(before, percent.hundredths)


def _check_timeouts(document: Document, kinds: Kinds, report: Report) -> None:
    """A poll that may outlast its interval would never be over."""
    for place in kind_tables(document, kinds):
        if place.own in (fields.Announce, Store):
            continue
        source = {"flag_service": "flags", "monitor": "signals"}.get(str(place.path[0]), "probes")
        interval_s = read(values.interval, place.table.get("interval"))
        if interval_s is None:
            interval_s = _poll_interval_s(document, source)
        timeout_s = read(values.positive_duration, place.table.get("timeout"))
        if timeout_s is not None and interval_s is not None and timeout_s >= interval_s:
            report.add(
                (*place.path, "timeout"),
                f"{values.shown(place.table['timeout'])} is not shorter than the interval; "
                f"expected less than {values.duration_text(interval_s)}",
            )


def _poll_interval_s(document: Document, source: str) -> float | None:
    given = at(document, "poll", source)
    usual: float = default(fields.Poll, source)
    return usual if given is None else read(values.interval, given)


def _check_legacy_probes(document: Document, report: Report) -> None:
    probes = [table for _, table in items(document, "backend", "legacy", "probe")]
    if probes and all(probe.get("required") is False for probe in probes):
        report.add(
            ("backend", "legacy"),
            "no probe is required; expected at least one, because a rollback is proven by them",
        )


def _check_queries(document: Document, report: Report) -> None:
    """The same counter on both sides compares a side with itself, and always looks healthy."""
    sides = (
        *inner(items(document, "flag"), "traffic"),
        *((path, table) for path, table in items(document, "signal")),
    )
    for path, table in sides:
        if "new" in table and _asked(table, "new") == _asked(table, "legacy"):
            report.add((*path, "new"), "both sides have the same query; expected the counter of the new side")
    for path, signal in items(document, "signal"):
        for side in ("legacy", "new"):
            pair = signal.get(side)
            if isinstance(pair, dict) and "bad" in pair and pair["bad"] == pair.get("total"):
                report.add((*path, side, "bad"), "is the same query as total; expected the bad events only")


def _asked(table: dict[str, Any], side: str) -> object:
    """What is asked for one side, and whom: the same query to another monitor is another counter."""
    pair = table.get(side)
    return {"monitor": table.get("monitor"), **pair} if isinstance(pair, dict) else pair


def _check_monitors(document: Document, report: Report) -> None:
    """Each side of a signal is counted by the monitor that it names, else by the signal's."""
    for path, signal in items(document, "signal"):
        sides = [side for side in ("legacy", "new") if isinstance(signal.get(side), dict)]
        without = [side for side in sides if "monitor" not in signal[side]]
        if "monitor" in signal and sides and not without:
            report.add((*path, "monitor"), "is asked for neither side, both name their own; take it away")
        elif "monitor" not in signal and without:
            words = (
                "neither it nor a side names a" if len(without) == 2 else f"the {without[0]} side names no"
            )
            where = "the signal" if len(without) == 2 else f"the signal or its {without[0]} side"
            report.add(path, f"{words} monitor; expected monitor in {where}")


def _check_judging(document: Document, report: Report) -> None:
    judge = document.get("judge")
    alpha, warn = _numbers(judge, fields.Judge, "alpha", "warn_alpha")
    if alpha is not None and warn is not None and warn < alpha:
        report.add(("judge",), f"warn_alpha {warn:g} is below alpha {alpha:g}; expected at least alpha")
    for path, limit in inner(items(document, "signal"), "limit"):
        breaches, window = _numbers(limit, fields.Limit, "breaches", "window")
        if breaches is not None and window is not None and breaches > window:
            report.add(path, f"{breaches:g} breaches do not fit into a window of {window:g} polls")


def _numbers(table: object, model: type[Table], *keys: str) -> tuple[float | None, ...]:
    """The numbers of a table, with the model's defaults for those it does not name."""
    given = table if isinstance(table, dict) else {}
    return tuple(number(given.get(key, default(model, key))) for key in keys)
