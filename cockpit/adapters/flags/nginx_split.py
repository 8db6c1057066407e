"""An nginx file of split_clients blocks, read and rewritten as text. Pure.

    split_clients "$remote_addr" $chat_reads {
        25% new;
        * legacy;
    }

Facts seen on nginx 1.22: a share has up to two decimals; "0%" is refused ("invalid percent value"), so
nobody is said by leaving the line out; shares that add up to more than 100 % are refused; whoever is in
no share and finds no `*` gets an empty value. The share is one of hashed identities: exact for many,
not for few.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from cockpit.adapters.base import BrokenAnswer
from cockpit.adapters.http_path import plan_fault
from cockpit.core.clean import ZERO, Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure

_TOKEN: Final = re.compile(
    r"""[ \t\r\n]+ | \#[^\n]* | (?P<quoted>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
      | (?P<mark>[;{}]) | (?P<word>(?!["'])(?:\$\{[^}\s]*\} | \\. | [^\s;{}])+)""",
    re.VERBOSE | re.DOTALL,
)
_SHARE: Final = re.compile(r"(?P<number>[0-9]{1,3}(?:\.[0-9]{1,2})?)%")
_REST: Final = "*"
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a block: a share such as "25%" or "*", and the value that it gets."""

    share: str
    value: str

    def __str__(self) -> str:
        return f"{self.share} {self.value};"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """body_start, body_end: where its entries stand in the file, between the braces."""

    identity: str
    entries: tuple[Entry, ...]
    body_start: int
    body_end: int

    @property
    def revision(self) -> str:
        told = "\n".join([self.identity, *map(str, self.entries)])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The values that the two sides have in the blocks."""

    legacy: str
    new: str


def find_block(text: str, variable: str) -> Block:
    """The block that sets `$variable`. Raises RefusedByService when there is none, BrokenAnswer otherwise."""
    found = [block for name, block in _blocks(list(_tokens(text))) if name == f"${variable}"]
    if not found:
        raise plan_fault(f"the file has no split_clients block for ${clean_text(variable, limit=80)}")
    if len(found) > 1:
        raise _broken(f"two blocks set ${clean_text(variable, limit=80)}")
    return found[0]


def told_percent(block: Block, names: Names) -> tuple[Percent | None, tuple[str, ...]]:
    """The share of the new side, and why the block is not plain."""
    notes = list(_complexities(block, names))
    shares = [entry.share for entry in block.entries if entry.value == names.new]
    if not shares:
        return ZERO, tuple(notes)
    percent = _percent(shares[0]) if len(shares) == 1 else None
    if percent is None and not notes:
        notes.append(f"no share from 0 to 100: {clean_text(shares[0], limit=40)}")
    return percent, tuple(notes)


def with_percent(text: str, variable: str, percent: Percent, names: Names) -> str:
    """The file with another share in a plain block."""
    entries = [Entry(_REST, names.legacy)]
    if percent != ZERO:
        entries.insert(0, Entry(f"{percent.value:g}%", names.new))
    return _with_entries(text, find_block(text, variable), entries)


def without_new(text: str, variable: str, names: Names) -> str:
    """The file with nobody on the new side, whatever else the block says."""
    block = find_block(text, variable)
    kept = [entry for entry in block.entries if entry.value != names.new]
    if not any(entry.share == _REST for entry in kept):
        kept.append(Entry(_REST, names.legacy))
    return text if tuple(kept) == block.entries else _with_entries(text, block, kept)


def _with_entries(text: str, block: Block, entries: Sequence[Entry]) -> str:
    body = "".join(f"\n    {entry}" for entry in entries)
    return f"{text[: block.body_start]}{body}\n{text[block.body_end :]}"


def _complexities(block: Block, names: Names) -> Iterator[str]:
    others = [entry.value for entry in block.entries if entry.value not in (names.legacy, names.new)]
    if others:
        yield f"some go to {', '.join(clean_text(value, limit=40) for value in others[:_NAMED])}"
    rest = [entry.value for entry in block.entries if entry.share == _REST]
    if rest != [names.legacy]:
        yield f"the rest (*) does not go to {names.legacy}"
    if sum(entry.value == names.new for entry in block.entries) > 1:
        yield f"{names.new} stands there more than once"


def _percent(share: str) -> Percent | None:
    found = _SHARE.fullmatch(share)
    if found is None or float(found["number"]) > 100:
        return None
    return Percent.parse(found["number"])


def _blocks(tokens: Sequence[Token]) -> Iterator[tuple[str, Block]]:
    """Every split_clients block with the variable that it sets."""
    position = 0
    while position < len(tokens):
        if tokens[position].text == "split_clients":
            name, block, position = _block(tokens, position)
            yield name, block
        else:
            position += 1


def _block(tokens: Sequence[Token], at: int) -> tuple[str, Block, int]:
    head = tokens[at + 1 : at + 4]
    if len(head) < 3 or head[2].text != "{":
        raise _broken("a split_clients without a block")
    entries: list[Entry] = []
    position = at + 4
    while position < len(tokens) and tokens[position].text != "}":
        line = [token.text for token in tokens[position : position + 3]]
        if len(line) < 3 or line[2] != ";" or {line[0], line[1]} & {";", "{", "}"}:
            raise _broken("a line in a split_clients block is not a share and a value")
        entries.append(Entry(line[0], line[1]))
        position += 3
    if position >= len(tokens):
        raise _broken("a split_clients block does not end")
    block = Block(
        identity=head[0].text,
        entries=tuple(entries),
        body_start=head[2].end,
        body_end=tokens[position].start,
    )
    return head[1].text, block, position + 1


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _broken("not an nginx configuration")
        position = found.end()
        if found.lastgroup is not None:
            yield Token(found[0], found.start(), found.end())


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title))
