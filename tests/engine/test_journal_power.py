"""The power goes in the middle of a rollback: what any copy of the journal's files still says.

One rollback is flown by a real engine; after every append that returned, the bytes of all files are kept.
From them come the disks that a power cut can leave, and some that only a broken copy can. Of the first
kind nothing may be missing that `append` had returned; the second may be refused, in words, but may never
pass as whole with events missing while the write-ahead log is.

The write-ahead log: a header of 32 bytes (salts at 16 to 24), then frames of 24 bytes and a page; a frame
with a size in bytes 4 to 8 ends a transaction (https://www.sqlite.org/fileformat2.html#walformat).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.core.events import Event, Kind
from cockpit.core.flight import fold
from cockpit.engine.journal import CHECKPOINT_PAGES, SqliteJournal
from cockpit.engine.journal_port import Draft, JournalFailure
from cockpit.engine.logbook import Logbook
from cockpit.engine.published import SnapshotTrouble, decode
from tests.engine.conftest import World, declare
from tests.engine.disks import ext4_image, mounted
from tests.engine.scripted import START

HEADER, FRAME, PAGE, SECTOR = 32, 24 + 4096, 4096, 512
EARLIER_FRAMES = CHECKPOINT_PAGES - 15


@dataclass(frozen=True, repr=False)
class Disk:
    """The files of one journal as bytes."""

    db: bytes
    log: bytes
    index: bytes
    published: bytes

    def laid_out(self, place: Path) -> Path:
        path = place / "flight.journal"
        ends = {"": self.db, "-wal": self.log, "-shm": self.index, ".published": self.published}
        for end, content in ends.items():
            if content:
                file = path.with_name(path.name + end)
                file.write_bytes(content)
                file.chmod(0o600)
        return path


@dataclass(frozen=True)
class Moment:
    """An append has returned: event `seq` is promised, and this is on the disk."""

    seq: int
    disk: Disk

    @property
    def salts(self) -> bytes:
        return self.disk.log[16:24]

    @property
    def log_end(self) -> int:
        """Where the newest transaction ends in the log."""
        end = HEADER
        for start in range(HEADER, len(self.disk.log), FRAME):
            head = self.disk.log[start : start + 24]
            if head[8:16] != self.salts:
                break
            if any(head[4:8]):
                end = start + FRAME
        return end


class Recorder(SqliteJournal):
    """Keeps the bytes of every file after each append."""

    def __init__(self, path: Path) -> None:
        self.moments: list[Moment] = []
        super().__init__(path)

    def append_many(
        self, drafts: Sequence[Draft], *, actor: str, at: datetime, expected_seq: int
    ) -> tuple[Event, ...]:
        events = super().append_many(drafts, actor=actor, at=at, expected_seq=expected_seq)
        self.moments.append(Moment(seq=events[-1].seq, disk=self._disk()))
        return events

    def _disk(self) -> Disk:
        ends = [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm", ".published")]
        db, log, index, published = [file.read_bytes() if file.exists() else b"" for file in ends]
        return Disk(db=db, log=log, index=index, published=published)


@dataclass(frozen=True, repr=False)
class Recording:
    moments: Sequence[Moment]
    events: Sequence[Event]

    def promised(self, number: int, cut: int) -> int:
        """The last event of which moment `number`'s log holds the end when it is cut at a byte."""
        last = self.moments[number]
        return max(
            (
                moment.seq
                for moment in self.moments[: number + 1]
                if moment.salts != last.salts or moment.log_end <= cut
            ),
            default=0,
        )

    def folded_back(self, number: int) -> int:
        """Up to which byte of moment `number`'s log the database has it too: no power cut loses that."""
        last, ends = self.moments[number], [0]
        for before, moment in zip(self.moments, self.moments[1 : number + 1], strict=False):
            if moment.salts == last.salts and moment.disk.db != before.disk.db:
                ends.append(moment.log_end)
        return max(ends)

    def of_log(self) -> Mapping[bytes, Sequence[int]]:
        """The moments of each life of the log, which starts over when all of it is folded back."""
        lives: dict[bytes, list[int]] = {}
        for number, moment in enumerate(self.moments):
            lives.setdefault(moment.salts, []).append(number)
        return lives


@pytest.fixture(scope="module")
def recording() -> Iterator[Recording]:
    with TemporaryDirectory() as place:
        journal = Recorder(Path(place) / "state" / "flight.journal")
        while not journal.moments or journal.moments[-1].log_end < HEADER + EARLIER_FRAMES * FRAME:
            seq = journal.last_seq()
            journal.append(Kind.NOTE_ADDED, {"text": f"line {seq}"}, actor="ana", at=START, expected_seq=seq)
        world = World(percents={"writes": 50.0, "reads": 50.0}, journal=journal)
        try:
            pilot = world.start()
            pilot.ready("writes")
            pilot.done(declare())
            pilot.settled("flip", "drain", "verify", "reconcile", "announce")
            pilot.leave()
            made = Recording(moments=tuple(journal.moments), events=tuple(world.events()))
        finally:
            world.end()
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "copies"
    place.mkdir(mode=0o700)
    return place


def after_the_cut(disk: Disk, place: Path) -> tuple[list[Event], list[object]]:
    """Start a cockpit on these files. Raises JournalFailure, which has words; anything else is a bug."""
    with TemporaryDirectory(dir=place) as copy, closing(SqliteJournal(disk.laid_out(Path(copy)))) as journal:
        events = journal.read()
        broken: list[object] = list(journal.verify())
        if not broken:
            book = Logbook(journal)
            book.catch_up()
            assert book.failure is None and book.flight == fold(events)
            book.append([Draft(kind=Kind.NOTE_ADDED, body={"text": "on"})], actor="b", at=START, must=False)
            assert journal.verify() == []
        return events, broken


def holds(recording: Recording, disk: Disk, place: Path, expected_seq: int) -> None:
    events, broken = after_the_cut(disk, place)
    assert broken == []
    assert len(events) == expected_seq
    assert events == list(recording.events[:expected_seq])


def tells_or_is_whole(recording: Recording, disk: Disk, place: Path, *, log_whole: bool) -> None:
    try:
        events, broken = after_the_cut(disk, place)
    except JournalFailure as failure:
        assert failure.title and "Traceback" not in str(failure)
        return
    if not broken:
        assert events == list(recording.events[: len(events)])
        assert not log_whole or len(events) == len(recording.events), "silently shorter"


def test_the_recording_is_of_a_rollback_in_which_the_log_started_over(recording: Recording) -> None:
    assert fold(recording.events).rollback is not None
    declared = next(event.seq for event in recording.events if event.kind is Kind.ROLLBACK_DECLARED)
    lives = recording.of_log()
    assert len(lives) >= 2
    assert any(recording.moments[numbers[0]].seq > declared for numbers in lives.values())
    assert any(recording.folded_back(number) for number in range(len(recording.moments)))


def test_a_log_cut_at_every_frame_keeps_what_was_returned(recording: Recording, place: Path) -> None:
    for numbers in recording.of_log().values():
        whole = [number for number in numbers if not recording.folded_back(number)]
        newest = recording.moments[whole[-1]]
        for start in range(HEADER, newest.log_end + 1, FRAME):
            disk = replace(newest.disk, log=newest.disk.log[:start])
            holds(recording, disk, place, recording.promised(whole[-1], start))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_log_cut_anywhere_keeps_what_was_returned(recording: Recording, seed: int) -> None:
    """With the shared index as it was, gone, or of another moment: nobody may trust it after a power cut."""
    random = Random(seed)
    number = random.randrange(len(recording.moments))
    moment = recording.moments[number]
    least = recording.folded_back(number)
    cut = random.randint(least, len(moment.disk.log))
    other = random.choice(recording.moments).disk
    index = random.choice([moment.disk.index, b"", other.index, random.randbytes(32768)])
    disk = replace(moment.disk, log=moment.disk.log[:cut], index=index, published=b"")
    with TemporaryDirectory() as place:
        holds(recording, disk, Path(place), recording.promised(number, cut))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_of_an_append_under_way_all_or_nothing_is_there(recording: Recording, seed: int) -> None:
    """Its sectors reach the disk in any order, over whatever was there before."""
    random = Random(seed)
    number = random.randrange(1, len(recording.moments))
    before, after = recording.moments[number - 1], recording.moments[number]
    log = bytearray(before.disk.log.ljust(len(after.disk.log), b"\0"))
    changed = [at for at in range(0, len(log), SECTOR) if log[at:][:SECTOR] != after.disk.log[at:][:SECTOR]]
    landed = random.sample(changed, random.randint(0, len(changed)))
    for at in landed:
        log[at : at + SECTOR] = after.disk.log[at : at + SECTOR]
    disk = replace(before.disk, log=bytes(log), index=random.choice([before.disk.index, b""]))
    with TemporaryDirectory() as place:
        expected = after.seq if len(landed) == len(changed) else before.seq
        holds(recording, disk, Path(place), expected)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_power_cut_while_the_log_is_folded_back_loses_nothing(recording: Recording, seed: int) -> None:
    random = Random(seed)
    folded = [
        number
        for number in range(1, len(recording.moments))
        if recording.moments[number].disk.db != recording.moments[number - 1].disk.db
    ]
    number = random.choice(folded)
    before, after = recording.moments[number - 1].disk, recording.moments[number].disk
    db = bytearray(before.db.ljust(len(after.db), b"\0"))
    for at in range(0, len(db), SECTOR):
        if random.random() < 0.5:
            db[at : at + SECTOR] = after.db[at : at + SECTOR]
    with TemporaryDirectory() as place:
        holds(recording, replace(after, db=bytes(db)), Path(place), recording.moments[number].seq)


def test_a_database_cut_at_every_page_is_told_or_whole(recording: Recording, place: Path) -> None:
    last = recording.moments[-1].disk
    for size in range(0, len(last.db), PAGE):
        tells_or_is_whole(recording, replace(last, db=last.db[:size]), place, log_whole=True)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_broken_copy_is_told_or_whole(recording: Recording, seed: int) -> None:
    """Files of different lengths, of different moments, with zeroes or noise in them."""
    random = Random(seed)
    mixed = [random.choice(recording.moments).disk for _ in range(3)]
    log = bytearray(mixed[1].log)
    for _ in range(random.randint(0, 2)):
        at = random.randrange(max(1, len(log)))
        log[at : at + SECTOR] = random.choice([bytes(SECTOR), random.randbytes(SECTOR)])
    disk = Disk(
        db=mixed[0].db[: random.choice([len(mixed[0].db), random.randint(0, len(mixed[0].db))])],
        log=bytes(log[: random.choice([len(log), random.randint(0, len(log))])]),
        index=mixed[2].index,
        published=b"",
    )
    with TemporaryDirectory() as place:
        tells_or_is_whole(recording, disk, Path(place), log_whole=False)


def test_a_picture_cut_anywhere_is_shown_or_told(recording: Recording, place: Path) -> None:
    last = recording.moments[-1].disk
    assert last.published
    whole = 0
    for cut in [*range(120), *range(120, len(last.published), 97), len(last.published)]:
        with TemporaryDirectory(dir=place) as copy:
            disk = replace(last, published=last.published[:cut])
            with closing(SqliteJournal(disk.laid_out(Path(copy)), read_only=True)) as journal:
                try:
                    found = journal.latest_published()
                    assert found is None or decode(found[0])
                    whole += found is not None
                except (JournalFailure, SnapshotTrouble) as told:
                    assert str(told)
    assert whole == 1


def test_the_power_of_a_real_disk_goes_right_after_each_append(tmp_path: Path) -> None:
    """An ext4 whose device is copied the moment `append` returns: what was not flushed is not in it."""
    image, now = ext4_image(tmp_path / "image"), tmp_path / "at that moment"
    with (
        mounted(tmp_path / "disk", "-o", "loop", str(image)) as disk,
        closing(SqliteJournal(disk / "state" / "flight.journal")) as journal,
    ):
        for number in range(12):
            drafts = [Draft(kind=Kind.NOTE_ADDED, body={"text": "x" * 3000})] * (1 + 5 * (number % 3))
            told = journal.append_many(drafts, actor="ana", at=START, expected_seq=journal.last_seq())
            shutil.copyfile(image, now)
            with (
                mounted(tmp_path / f"copy {number}", "-o", "loop", str(now)) as copy,
                closing(SqliteJournal(copy / "state" / "flight.journal")) as found,
            ):
                assert found.read()[-1] == told[-1]
                assert found.verify() == []


def test_looking_at_a_copy_leaves_its_log_for_whoever_comes_next(recording: Recording, place: Path) -> None:
    moment = recording.moments[-1]
    path = moment.disk.laid_out(place)
    with closing(SqliteJournal(path, evidence=True)) as journal:
        assert (journal.last_seq(), journal.verify()) == (moment.seq, [])
    assert path.with_name(path.name + "-wal").read_bytes() == moment.disk.log
    assert path.read_bytes() == moment.disk.db
    shutil.rmtree(place)
