"""What HAProxy answers on its runtime socket, and what weights make of a percentage. Pure.

Recorded from HAProxy 2.6.12; field names and bits as in doc/management.txt ("show servers state"). Two
things make another share of the same weights: `slowstart` gives a server that came back only a part of its
weight for a while (srv_op_state 1), and an agent check sets weights, drain and maintenance by itself, also
after a rollback (srv_agent_state with bit 4).

The arithmetic: a server gets its weight divided by the sum of the weights, and a weight is a whole
number from 0 to 256. So a percentage is the fraction new / (legacy + new). Reduced to lowest terms it
must have both parts within 256: 12.5 % is 7 to 1, 0.5 % is 199 to 1, 0.25 % would be 399 to 1 and is
refused. Whole percents are written so that both weights add up to 100; every other share as its lowest
terms. Nothing is ever rounded on the way out. A share that was written by others and has no two
decimals (2 to 1) is shown rounded and called not plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight
from cockpit.adapters.flags.outcome import words
from cockpit.adapters.http_path import plan_fault
from cockpit.core.clean import ZERO, Percent, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, FlagValue

HEAVIEST: Final = 256
_STATE_FORMAT: Final = "1"
_STOPPED: Final = 0
_STARTING: Final = 1
_AGENT_ASKED: Final = 0x04
_MAINTENANCE: Final = 0x01 | 0x02 | 0x04 | 0x20 | 0x40
_DRAINING: Final = 0x08 | 0x10
_NAMED: Final = 3
_EXACT: Final = "roundrobin"
_DEAF: Final = {"static-rr": "accepts only 0% and 100%", "first": "does not look at weights"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    legacy: int
    new: int

    @property
    def share(self) -> Percent | None:
        """Rounded to two decimals; None when both are 0, which HAProxy answers with 503."""
        total = self.legacy + self.new
        return Percent.of(self.new, total) if total else None

    @property
    def exact(self) -> bool:
        """Whether `share` is the true share."""
        total = self.legacy + self.new
        return total > 0 and self.new * 10_000 % total == 0

    def __str__(self) -> str:
        return f"legacy {self.legacy}, new {self.new}"


def weights_for(percent: Percent) -> Weights | None:
    """The weights that give exactly this share; None when no two weights do."""
    share = Fraction(percent.hundredths, 10_000)
    whole = 100 if 100 % share.denominator == 0 else share.denominator
    new = int(share * whole)
    return Weights(legacy=whole - new, new=new) if max(whole - new, new) <= HEAVIEST else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """running: its checks do not say that it is down. admin: the bits that people set. starting: it is in its
    slow start, and gets less than its weight. agent: an agent check may change weight and state.
    """

    weight: int
    configured: int
    running: bool
    admin: int
    starting: bool = False
    agent: bool = False

    @property
    def out(self) -> str:
        """Why it takes no new users, in a word; empty when it may."""
        if self.admin & _MAINTENANCE:
            return "in maintenance"
        return "draining" if self.admin & _DRAINING else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One backend: the two servers that matter and the names of all others."""

    legacy: Server
    new: Server
    others: tuple[str, ...]

    @property
    def weights(self) -> Weights:
        return Weights(legacy=self.legacy.weight, new=self.new.weight)

    @property
    def after_reload(self) -> Percent | None:
        """The share that a reload brings back: weights set at run time live in memory only."""
        return Weights(legacy=self.legacy.configured, new=self.new.configured).share

    @property
    def reload_raises(self) -> bool:
        now, then = ZERO if self.new.out else self.weights.share, self.after_reload
        return now is not None and then is not None and then > now

    def value(self, key: str) -> FlagValue:
        """on: the new server takes users; drained or in maintenance it is a flag that is switched off."""
        notes = (*self.lasting(), *self.passing())
        unclear = (self._legacy_gone or self.legacy.starting) and self.new.weight > 0
        return FlagValue(
            key=key,
            on=not self.new.out,
            percent=None if unclear else self.weights.share,
            complexities=notes,
            revision=f"{self.weights}, {self.legacy.admin}/{self.new.admin}",
        )

    @property
    def _legacy_gone(self) -> bool:
        return bool(self.legacy.out) or not self.legacy.running

    def passing(self) -> Iterator[str]:
        """What is not plain now and will be by itself, when a slow start is over."""
        if self.legacy.starting:
            yield "the legacy server is in its slow start: the new one gets more than its share"
        if self.new.starting and not self.new.out:
            yield "the new server is in its slow start: it gets less than its share"

    @property
    def agents(self) -> str:
        """Whose weight an agent check may set, in words; empty where no agent is asked."""
        named = [name for name, server in (("legacy", self.legacy), ("new", self.new)) if server.agent]
        return " and ".join(named)

    def lasting(self) -> Iterator[str]:
        """What is not plain until somebody changes it."""
        if self.agents:
            yield f"an agent check may set the weight of {self.agents} at any time, after a rollback too"
        if self.others:
            yield f"the backend has other servers: {', '.join(self.others[:_NAMED])}"
        if self.weights.share is None:
            yield "both weights are 0: nobody is served"
        elif not self.weights.exact:
            yield f"the weights ({self.weights}) are no percentage with two decimals"
        if self._legacy_gone:
            yield f"the legacy server is {self.legacy.out or 'down'}: the new one gets whoever is served"


def read_split(answer: str, *, backend: str, legacy: str, new: str) -> Split:
    """From `show servers state BACKEND`. Raises BrokenAnswer, or RefusedByService for a missing name."""
    lines = _whole(answer)
    if lines[0] == "Can't find backend.":
        raise plan_fault(f"HAProxy has no backend {clean_text(backend, limit=80)}")
    if len(lines) < 2 or lines[0] != _STATE_FORMAT or not lines[1].startswith("# "):
        raise _broken(f"not the state of servers: {clean_text(lines[0], limit=80)}")
    columns = lines[1][2:].split(" ")
    rows = [_row(columns, line, backend) for line in lines[2:]]
    by_name = {row["srv_name"]: row for row in rows}
    for name in (legacy, new):
        if name not in by_name:
            raise plan_fault(f"the backend {clean_text(backend, limit=80)} has no server {name}")
    if len(by_name) != len(rows):
        raise _broken("two servers of one name")
    others = tuple(clean_text(name, limit=40) for name in by_name if name not in (legacy, new))
    return Split(legacy=_server(by_name[legacy]), new=_server(by_name[new]), others=others)


def read_table(answer: str) -> Sequence[Mapping[str, str]]:
    """The rows of `show stat`, by column. Raises BrokenAnswer."""
    lines = _whole(answer)
    if not lines[0].startswith("# pxname,svname,"):
        raise _broken(f"no statistics: {clean_text(lines[0], limit=80)}")
    columns = lines[0][2:].split(",")
    return [dict(zip(columns, line.split(","), strict=False)) for line in lines[1:]]


def read_field(answer: str, name: str) -> str | None:
    """One line `name: value` of `show info`, clean."""
    for line in answer.split("\n"):
        found, _, value = line.partition(": ")
        if found == name:
            return clean_text(value, limit=60)
    return None


def after_reload(split: Split) -> str:
    """What to know beside a share that lives in memory only."""
    then = split.after_reload
    if split.reload_raises:
        return f"; in memory only: A RELOAD OF HAPROXY RAISES IT TO {then}"
    return f"; in memory only, a reload puts it to {then if then is not None else 'no share'}"


def reload_line(key: str, split: Split) -> Preflight:
    then = split.after_reload
    detail = f"weights live in memory; a reload puts it to {then if then is not None else 'no share'}"
    return Preflight(
        subject=key, question="a reload raises no share", ok=not split.reload_raises, detail=detail
    )


def agent_line(key: str, split: Split) -> Preflight:
    """An agent may undo a rollback: whoever runs it stops it before the night."""
    detail = "no agent check"
    if split.agents:
        stop = f"disable agent {key}/SERVER"
        detail = f"an agent check may set the weight of {split.agents}; on the socket: {stop}"
    return Preflight(subject=key, question="weights stay as written", ok=not split.agents, detail=detail)


def algorithm_line(key: str, rows: Sequence[Mapping[str, str]] | AdapterError) -> Preflight:
    """Whether the backend's algorithm does with weights what the arithmetic says."""

    def line(ok: bool | None, detail: str) -> Preflight:
        return Preflight(subject=key, question="its algorithm follows weights", ok=ok, detail=detail)

    if isinstance(rows, AdapterError):
        return line(None, words(rows))
    told = next((row.get("algo", "") for row in rows if row.get("svname") == "BACKEND"), "")
    named = clean_text(told, limit=40)
    if not named:
        return line(None, "a socket of level user does not tell")
    if named in _DEAF:
        return line(False, f"{named} {_DEAF[named]}")
    return line(True, named) if named == _EXACT else line(None, f"{named}: the share is met only roughly")


def _whole(answer: str) -> Sequence[str]:
    """Its lines. An answer ends with an empty line; one that was cut must not look like fewer servers."""
    if not answer.endswith("\n\n"):
        raise _broken(f"not a whole answer of HAProxy: {clean_text(answer, limit=80)}")
    return answer.strip("\n").split("\n")


def _row(columns: Sequence[str], line: str, backend: str) -> Mapping[str, str]:
    cells = line.split(" ")
    row = dict(zip(columns, cells, strict=False))
    if len(cells) < len(columns) or row.get("be_name") != backend:
        raise _broken("a line that tells no server of the backend")
    return row


def _server(row: Mapping[str, str]) -> Server:
    weight, configured = _number(row, "srv_uweight"), _number(row, "srv_iweight")
    if max(weight, configured) > HEAVIEST:
        raise _broken("a weight over 256")
    state = _number(row, "srv_op_state")
    return Server(
        weight=weight,
        configured=configured,
        running=state != _STOPPED,
        admin=_number(row, "srv_admin_state"),
        starting=state == _STARTING,
        agent="srv_agent_state" in row and bool(_number(row, "srv_agent_state") & _AGENT_ASKED),
    )


def _number(row: Mapping[str, str], name: str) -> int:
    raw = row.get(name, "")
    if not (raw.isascii() and raw.isdigit() and len(raw) < 6):
        raise _broken(f"{name} is no number")
    return int(raw)


def _broken(title: str) -> BrokenAnswer:
    return BrokenAnswer(Failure(title=title))
