"""The kinds of adapters that a plan may name, and the settings that stand in its tables.

A table such as `[flag_service.main]` holds keys of two owners: ours (`kind`, `interval`, ...) and
those of the kind's settings class. This module takes them apart, so that each owner judges its own
and an unknown key is judged against both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from cockpit.core.dataclass import dataclass
from cockpit.core.tables import Written
from cockpit.plan.fields import Announce, Probe, Source
from cockpit.plan.locate import TomlPath
from cockpit.plan.parity_fields import Store
from cockpit.plan.problems import Report, unknown
from cockpit.plan.reading import read_table
from cockpit.plan.shape import known_keys
from cockpit.plan.tree import Document, items, subtables
from cockpit.plan.values import shown
from cockpit.plan.written import Table

Family = Mapping[str, type[Written]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """Settings classes by kind name. A class may be loaded when it is asked for, and not before."""

    flag_services: Family
    probes: Family
    monitors: Family
    announcers: Family
    stores: Family = field(default_factory=dict)


def settings_class(kind: str, family: Family, own: type[Table]) -> type[Written]:
    """Of a kind that is known. Raises ValueError for a class that takes a key of the plan's own."""
    settings = family[kind]
    taken = sorted({*known_keys(own)} & {*known_keys(settings)})
    if taken:
        raise ValueError(f"settings of {kind} take the plan's own keys: {', '.join(taken)}")
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class KindTable:
    """One table that names a kind. `word` says what such a table is."""

    path: TomlPath
    table: Mapping[str, object]
    own: type[Table]
    family: Family
    word: str

    @property
    def settings(self) -> type[Written] | None:
        """The settings class of the table's kind, None when the kind is not known."""
        kind = self.table.get("kind")
        if not isinstance(kind, str) or kind not in self.family:
            return None
        return settings_class(kind, self.family, self.own)


def kind_tables(document: Document, kinds: Kinds) -> Iterator[KindTable]:
    """Every table of the document that names a kind, in the order of the file's sections."""
    for section, family, word in (
        ("flag_service", kinds.flag_services, "flag service"),
        ("monitor", kinds.monitors, "monitoring source"),
    ):
        for path, table in subtables(document, section):
            yield KindTable(path=path, table=table, own=Source, family=family, word=word)
    for side in ("legacy", "new"):
        for path, table in items(document, "backend", side, "probe"):
            yield KindTable(path=path, table=table, own=Probe, family=kinds.probes, word="probe")
    for path, table in items(document, "announce"):
        yield KindTable(path=path, table=table, own=Announce, family=kinds.announcers, word="announcement")
    for path, table in subtables(document, "store"):
        yield KindTable(path=path, table=table, own=Store, family=kinds.stores, word="store")


def read_settings(document: Document, kinds: Kinds, report: Report) -> Mapping[TomlPath, Written]:
    """The settings of every kind table by its path; what is wrong is reported and left out."""
    found: dict[TomlPath, Written] = {}
    for place in kind_tables(document, kinds):
        _judge_keys(place, report)
        if place.settings is None:
            _report_kind(place, report)
            continue
        settings = _settings(place, place.settings, report)
        if settings is not None:
            found[place.path] = settings
    return found


def own_part(document: Document, kinds: Kinds) -> dict[str, Any]:
    """A copy of the document with the plan's own keys alone. Kinds were judged with the settings, so
    a kind that is missing or no text is put right here, and not reported a second time."""
    own = {place.path: known_keys(place.own) for place in kind_tables(document, kinds)}
    return {key: _own(value, (key,), own) for key, value in document.items()}


def _own(value: object, path: TomlPath, own: Mapping[TomlPath, tuple[str, ...]]) -> object:
    if isinstance(value, dict):
        kept = {
            key: _own(item, (*path, key), own) for key, item in value.items() if key in own.get(path, value)
        }
        if path in own and not isinstance(kept.get("kind"), str):
            kept["kind"] = ""
        return kept
    if isinstance(value, list):
        return [_own(item, (*path, place), own) for place, item in enumerate(value)]
    return value


def _judge_keys(place: KindTable, report: Report) -> None:
    """With an unknown kind, a key that any kind knows gets the benefit of the doubt."""
    judges = [place.settings] if place.settings else list(place.family.values())
    known = set(known_keys(place.own)).union(*(known_keys(judge) for judge in judges))
    for key in place.table:
        if key not in known:
            report.add((*place.path, key), unknown("key", key, known))


def _report_kind(place: KindTable, report: Report) -> None:
    kind, names = place.table.get("kind"), ", ".join(sorted(place.family))
    if isinstance(kind, str):
        report.add((*place.path, "kind"), unknown(f"kind of {place.word}", kind, place.family))
    elif kind is None:
        report.add((*place.path, "kind"), f"is missing; expected one of: {names}")
    else:
        report.add((*place.path, "kind"), f"{shown(kind)} is no kind; expected one of: {names}")


def _settings(place: KindTable, model: type[Written], report: Report) -> Written | None:
    keys = known_keys(model)
    own = {key: value for key, value in place.table.items() if key in keys}
    return read_table(own, model, place.path, report)
