"""Events that the journal could not take before the process ended, kept in a file for the next cockpit.

JSON lines, closed to others: a header that names the event they come behind, by seq and hash, then one
event a line. Beside the journal, or in the first other place of a few that can be written: the journal's
own disk is often what is full or hangs. The next cockpit that drives the plan takes them in, if the journal
still ends where the header says (or has some of them already: a disk that hung may have written them).
Anything else it leaves alone: events put behind what others did since would roll back what nobody asked for.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from cockpit.core.clean import clean_text, parse_instant
from cockpit.core.dataclass import dataclass
from cockpit.core.events import Event, Kind
from cockpit.engine.journal_chain import link_of
from cockpit.engine.journal_port import FailureKind, JournalFailure
from cockpit.engine.paths import FILE_MODE, secure_file, system_failure

T = TypeVar("T")
Unsaved = Sequence[tuple[str, Event]]

FORMAT: Final = 1
SUFFIX: Final = ".rescue"
NUMBERS: Final = 10
PLACE_S: Final = 2.0
SIZE_LIMIT: Final = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """What one file holds: actor and event, in order, behind event `after_seq` with that hash.

    environment: of the plan that was flown; empty in a file that does not say so.
    """

    path: Path
    environment: str
    after_seq: int
    after_hash: str
    events: tuple[tuple[str, Event], ...]


class RescueFiles:
    """The rescue files of one journal."""

    def __init__(self, journal: Path, environ: Mapping[str, str]) -> None:
        homes = (environ.get("XDG_RUNTIME_DIR", ""), environ.get("HOME", ""), tempfile.gettempdir())
        self._places = (journal.parent, *(Path(home) for home in homes if os.path.isabs(home)))
        self._name = journal.name + SUFFIX

    def put(self, unsaved: Unsaved, *, after_seq: int, after_hash: str, environment: str) -> Path | None:
        """Write a new file; where it is, or None when no place takes it. A place that hangs is left."""
        head = {
            "cutover-cockpit rescue": FORMAT,
            "after_seq": after_seq,
            "after_hash": after_hash,
            "environment": environment,
        }
        content = "\n".join([json.dumps(head), *lines(unsaved), ""]).encode()
        for place in self._places:
            written = _in_time(partial(self._write, place, content))
            if written is not None:
                return written
        return None

    def find(self) -> tuple[Path, ...]:
        """Every file there is, the oldest name of each place first."""
        return tuple(
            dict.fromkeys(path for place in self._places for path in self._names(place) if path.is_file())
        )

    def _names(self, place: Path) -> Iterator[Path]:
        yield place / self._name
        yield from (place / f"{self._name}-{number}" for number in range(1, NUMBERS))

    def _write(self, place: Path, content: bytes) -> Path | None:
        for path in self._names(place):
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
            except FileExistsError:
                continue
            except OSError:
                return None
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                path.unlink(missing_ok=True)
                return None
            return path
        return None


def lines(unsaved: Unsaved) -> Iterator[str]:
    """One line of ASCII JSON per event."""
    for actor, event in unsaved:
        seq, at, name, kind, body = link_of(event, actor)
        fields = {"seq": seq, "at": at, "actor": name, "kind": kind, "body": json.loads(body)}
        yield json.dumps(fields, separators=(",", ":"))


def load(path: Path) -> Rescued:
    """Raises JournalFailure: UNSAFE for a file of somebody else's, CORRUPT for one that is none."""
    secure_file(path)
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise ValueError
        head, *rest = (json.loads(line) for line in path.read_text("utf-8").splitlines())
        if head["cutover-cockpit rescue"] != FORMAT:
            raise ValueError
        events = tuple((str(row["actor"]), _event(row)) for row in rest)
        return Rescued(
            path=path,
            environment=str(head.get("environment", "")),
            after_seq=int(head["after_seq"]),
            after_hash=str(head["after_hash"]),
            events=events,
        )
    except OSError as error:
        raise system_failure("The rescue file cannot be read", path, error) from None
    except (ValueError, KeyError, TypeError):
        raise JournalFailure(FailureKind.CORRUPT, "The rescue file is damaged", clean_text(path)) from None


def _event(row: Mapping[str, object]) -> Event:
    body = row["body"]
    if not isinstance(body, dict):
        raise ValueError("no body")
    seq = int(str(row["seq"]))
    return Event(
        seq=seq,
        at=parse_instant(str(row["at"])),
        actor=str(row["actor"]),
        kind=Kind(str(row["kind"])),
        body=body,
    )


def _in_time(work: Callable[[], T | None]) -> T | None:
    """What `work` gives; None when it hangs. It may go on hanging then: the process ends."""
    found: list[T | None] = []
    thread = threading.Thread(target=lambda: found.append(work()), name="cockpit-rescue", daemon=True)
    thread.start()
    thread.join(PLACE_S)
    return found[0] if found else None
