"""What is wrong with a plan, all of it, each at its line.

A `Problem` prints as `file:line: key: what is wrong, what was expected`. Everything that reads a
plan adds to one `Report`, and only at the end `PlanProblems` is raised with all of them, in the
order of the file. Texts are clean and never repeat the value of a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.plan.locate import Lines, TomlPath

_LABEL_KEYS = ("key", "name", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`key` is the dotted place in the plan, empty when the whole file is meant; `line` starts at 1."""

    file: str
    line: int
    key: str
    text: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return f"{where}{self.key}: {self.text}" if self.key else f"{where}{self.text}"


class PlanProblems(Exception):
    """The plan cannot be used. Carries every problem at once; str() is one line per problem."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Report:
    """Collects the problems of one file; knows the names of its tables, and looks for lines when it must."""

    def __init__(self, file: str, document: Mapping[str, object], locate: Callable[[], Lines]) -> None:
        self._file = file
        self._document = document
        self._locate = locate
        self._lines: Lines | None = None
        self._found: dict[tuple[int, str, str], Problem] = {}

    def add(self, path: TomlPath, text: str) -> None:
        """Report once; the same words at the same place are one problem."""
        key = label(self._document, path)
        if self._lines is None:
            self._lines = self._locate()
        line = self._lines.line(path)
        clean = clean_text(text, limit=600)
        self._found.setdefault((line, key, clean), Problem(file=self._file, line=line, key=key, text=clean))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """In the order of the file."""
        return tuple(self._found[place] for place in sorted(self._found))


def label(document: object, path: TomlPath) -> str:
    """The path as people say it: `flag[chat_reads].stages[2].percent`.

    An item of a list carries its own key, name or id where it has one, else its place counted from 1.
    """
    words, here = "", document
    for part in path:
        if isinstance(part, int):
            here = here[part] if isinstance(here, list) and part < len(here) else None
            words += f"[{_own_name(here) or part + 1}]"
        else:
            here = here.get(part) if isinstance(here, dict) else None
            words += f".{clean_text(part, limit=60)}" if words else clean_text(part, limit=60)
    return words


def _own_name(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    names = (item.get(key) for key in _LABEL_KEYS)
    return next((clean_text(name, limit=60) for name in names if isinstance(name, str) and name), "")


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """`unknown flag "x"; did you mean "y"?`, or the list of what is known when nothing is near."""
    names = sorted(set(known))
    said = f'unknown {what} "{clean_text(word, limit=60)}"'
    lowered = {name.lower(): name for name in names}
    near = get_close_matches(word.lower()[:100], lowered, n=1, cutoff=0.6)
    if near:
        return f'{said}; did you mean "{lowered[near[0]]}"?'
    if not names:
        return f"{said}; the plan names none"
    return f"{said}; expected one of: {', '.join(clean_text(name, limit=60) for name in names)}"
