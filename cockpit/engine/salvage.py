"""What an ended cockpit could not journal: taken in by the next one, and left behind by this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from cockpit.core.clean import clean_text
from cockpit.core.snapshot import Level, Reason
from cockpit.engine.journal_port import JournalFailure
from cockpit.engine.logbook import Logbook
from cockpit.engine.rescue import Rescued, RescueFiles, lines, load


class Salvage:
    """Used from the engine's thread only. last_words: for whoever reads once the screen is gone.

    environment: asked of the plan that is flown when it is needed.
    """

    def __init__(self, files: RescueFiles | None, logbook: Logbook, environment: Callable[[], str]) -> None:
        self._files = files
        self._logbook = logbook
        self._environment = environment
        self._taken: list[Path] = []
        self._left: list[tuple[Path, str]] = []
        self._news: list[str] = []
        self.last_words: tuple[str, ...] = ()

    def take_in(self) -> None:
        """Go on with every rescued event that fits behind the journal as it is; keep what does not."""
        for path in self._files.find() if self._files is not None else ():
            try:
                rescued = load(path)
                if self._of_elsewhere(rescued):
                    self._leave(
                        path, f"it is of {rescued.environment or 'an environment that it does not tell'}"
                    )
                    continue
                fits = self._logbook.take_in((rescued.after_seq, rescued.after_hash), rescued.events)
            except JournalFailure as failure:
                self._leave(path, str(failure))
                continue
            if fits:
                self._taken.append(path)
            else:
                self._leave(path, f"the journal goes on differently behind event {rescued.after_seq}")

    def _of_elsewhere(self, rescued: Rescued) -> bool:
        """Any empty journal fits a file that begins at nothing: there is no hash to know it by."""
        return not rescued.after_seq and rescued.environment != self._environment()

    def news(self) -> Iterator[str]:
        """For the journal, each once; a file goes when everything of it is on the disk."""
        news, self._news = self._news, []
        yield from news
        if self._taken and not self._logbook.unsaved and self._logbook.failure is None:
            for path in self._taken:
                path.unlink(missing_ok=True)
                yield clean_text(f"events of a cockpit that could not journal them were taken in from {path}")
            self._taken.clear()

    def reasons(self) -> Iterator[Reason]:
        for path, why in self._left:
            what = clean_text(f"events of an ended cockpit are in {path} and were not taken in")
            yield Reason(level=Level.WARN, subject="journal", what=what, value=why)

    def put(self) -> None:
        """At the end of the process: keep what is only in memory."""
        unsaved = self._logbook.unsaved
        if self._files is None or not unsaved:
            return
        seq, digest = self._logbook.saved
        path = self._files.put(unsaved, after_seq=seq, after_hash=digest, environment=self._environment())
        count = f"NOT IN THE JOURNAL: {len(unsaved)} events of this flight."
        if path is None:
            self.last_words = (f"{count} No place could be written; keep these lines:", *lines(unsaved))
            return
        for taken in self._taken:
            with suppress(OSError):  # its events are in the new file too
                taken.unlink()
        self.last_words = (
            f"{count} They are kept in {clean_text(path)}",
            "Fly the plan again once the journal can be written: it takes them in. Nothing else reads them.",
        )

    def _leave(self, path: Path, why: str) -> None:
        self._left.append((path, clean_text(why)))
        self._news.append(clean_text(f"{path} holds events of an ended cockpit that do not fit: {why}; kept"))
