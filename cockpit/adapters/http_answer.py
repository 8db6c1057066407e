"""One HTTP answer, and what may be made of it: strict JSON, clean text, an error of our own tree."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble, Throttled
from cockpit.core.clean import TEXT_LIMIT, clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault

_LONGEST_INTEGER = 40
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ({'|'.join(_MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)
"""As every server should write it (RFC 9110, section 5.6.7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """headers: lower-case names. took_s: from leaving the queue to the last byte. asked: method and address
    for texts, without query. server_time: the Date header. The body is decompressed, capped, and holds no
    secret that we sent. certificate_ends_at: when the server's TLS certificate expires, None without TLS.
    spoken: "HTTP/2", "HTTP/1.1".
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    took_s: float
    server_time: datetime | None
    asked: str = ""
    certificate_ends_at: datetime | None = None
    spoken: str = ""

    def json(self) -> object:
        """The parsed body, whatever its content type. Raises BrokenAnswer; numbers in it are finite."""
        if self.body.lstrip()[:1] == b"<":
            raise self._broken("HTML instead of JSON (proxy or login page?)")
        try:
            text = self.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise self._broken("not valid UTF-8") from None
        if not text.strip():
            raise self._broken("an empty answer instead of JSON")
        try:
            return json.loads(text, parse_constant=_no_number, parse_float=_number, parse_int=_integer)
        except RecursionError:
            raise self._broken("JSON is nested too deeply") from None
        except json.JSONDecodeError:
            raise self._broken("not valid JSON") from None
        except ValueError as error:
            raise self._broken(str(error)) from None

    def text(self, limit: int = TEXT_LIMIT) -> str:
        """The first characters of the body on one safe line."""
        return clean_text(self.body[: limit * 8].decode("utf-8", "replace"), limit=limit)

    def raise_for_status(self) -> None:
        """Nothing for 2xx and 304; else the matching error, with what the service said as detail."""
        if 200 <= self.status < 300 or self.status == 304:
            return
        raise self.as_error()

    def as_error(self) -> AdapterError:
        """This answer as the error that it means."""
        detail = f"{self.asked}: {self._said()}".rstrip(": ")
        wait_s = self.retry_after_s()
        if self.status == 429 or (self.status == 503 and wait_s is not None):
            title = f"asked to wait (HTTP {self.status})"
            return Throttled(Failure(title=title, detail=detail, retry_after_s=wait_s), status=self.status)
        if self.status >= 500:
            failure = Failure(title=f"the service failed (HTTP {self.status})", detail=detail)
            return ServiceTrouble(failure, status=self.status)
        title, fault = _REFUSALS.get(self.status, (f"the service said no (HTTP {self.status})", Fault.PLAN))
        failure = Failure(title=title, detail=detail, retryable=False, fault=fault)
        return RefusedByService(failure, status=self.status)

    def retry_after_s(self) -> float | None:
        """Seconds that the service asks us to wait. A date counts from the answer's own Date header."""
        raw = self.headers.get("retry-after", "").strip()
        if raw.isascii() and raw.isdigit() and len(raw) < 10:
            return float(raw)
        moment = parse_http_date(raw)
        if moment is None or self.server_time is None:
            return None
        return max(0.0, (moment - self.server_time).total_seconds())

    def _said(self) -> str:
        """The service's own words: the usual message fields of a JSON error, else the start of the body."""
        try:
            body = self.json()
        except BrokenAnswer as broken:
            return broken.failure.title if self.body.lstrip()[:1] == b"<" else self.text(160)
        if isinstance(body, dict):
            for name in ("message", "error", "detail", "title"):
                if isinstance(body.get(name), str):
                    return clean_text(body[name], limit=200)
        return self.text(160)

    def _broken(self, title: str) -> BrokenAnswer:
        return BrokenAnswer(Failure(title=title, detail=self.asked), status=self.status)


_REFUSALS: dict[int, tuple[str, Fault]] = {
    401: ("the service does not accept the credential (HTTP 401)", Fault.CREDENTIAL),
    403: ("the credential may not do this (HTTP 403)", Fault.CREDENTIAL),
    404: ("not found (HTTP 404)", Fault.PLAN),
    407: ("the proxy wants a credential (HTTP 407)", Fault.CREDENTIAL),
    409: ("in conflict with what is there (HTTP 409)", Fault.SERVICE),
}


@lru_cache(maxsize=64)
def parse_http_date(raw: str) -> datetime | None:
    """An aware UTC datetime from an HTTP date, None when it is not one."""
    found = _DATE.fullmatch(raw)
    try:
        if found is not None:
            day, month, year, hour, minute, second = found.groups()
            at = (int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
            return datetime(*at, tzinfo=UTC)
        from email.utils import parsedate_to_datetime  # for older ways to write one, which few servers do

        moment = parsedate_to_datetime(raw)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _no_number(literal: str) -> float:
    raise ValueError(f"{literal} is not JSON")


def _number(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError("a number in the JSON is too large")
    return number


def _integer(literal: str) -> int:
    if len(literal) > _LONGEST_INTEGER:
        raise ValueError("a number in the JSON is too large")
    return int(literal)
