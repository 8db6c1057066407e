"""As much of the Redis protocol (RESP2) as a reader needs: ask in words, get text, a number or an error.

Written here because a client library reads whatever length a server claims; this one refuses long lines
and large answers. Source: redis.io, "Redis serialization protocol specification".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NoReturn

from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.adapters.no_answer import Cause, NoAnswer
from cockpit.adapters.stream import Stream
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault

BULK_LIMIT: Final = 1_000_000
_NUMBER_LIMIT: Final = 20
_CREDENTIAL: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})


class RedisError(Exception):
    """The server answered with an error; `code` is its first word, such as LOADING or NOPERM."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(code)
        self.code = code
        self.words = words


Answer = str | int | None


class Resp:
    """Questions over one connection, in order."""

    def __init__(self, stream: Stream, address: str) -> None:
        self._stream = stream
        self._address = address

    async def ask(self, *words: str) -> Answer:
        """The answer. Raises RedisError for the server's own, NoAnswer and BrokenAnswer for the rest."""
        (answer,) = await self.ask_all([words])
        if isinstance(answer, RedisError):
            raise answer
        return answer

    async def ask_all(self, questions: Sequence[Sequence[str]]) -> list[Answer | RedisError]:
        """Several questions at once; each gets its answer or its error. Raises NoAnswer and BrokenAnswer."""
        try:
            self._stream.writer.write(b"".join(map(_command, questions)))
            await self._stream.writer.drain()
            return [await self._answer() for _ in questions]
        except (OSError, asyncio.IncompleteReadError):
            failure = Failure(title=f"{self._address} closed the connection without an answer")
            raise NoAnswer(failure, cause=Cause.RESET, sent=True) from None
        except ValueError:
            self._broken("an endless line")

    async def _answer(self) -> Answer | RedisError:
        line = await self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode("utf-8", "replace")
        if kind == b"-":
            code, _, words = rest.decode("utf-8", "replace").partition(" ")
            return RedisError(clean_text(code, limit=20), clean_text(words, limit=160))
        if kind == b":":
            return self._number(rest)
        if kind == b"$":
            return await self._bulk(self._number(rest))
        self._broken("not the Redis protocol")

    async def _line(self) -> bytes:
        line = await self._stream.reader.readline()
        if not line:
            raise ConnectionResetError
        if not line.endswith(b"\r\n"):
            self._broken("not the Redis protocol")
        return line[:-2]

    async def _bulk(self, length: int) -> str | None:
        if length == -1:
            return None
        if not 0 <= length <= BULK_LIMIT:
            self._broken("an answer of impossible length")
        body = await self._stream.reader.readexactly(length + 2)
        return body[:-2].decode("utf-8", "replace")

    def _number(self, text: bytes) -> int:
        if len(text) > _NUMBER_LIMIT or not text.removeprefix(b"-").isdigit():
            self._broken("a length or number that is none")
        return int(text)

    def _broken(self, what: str) -> NoReturn:
        raise BrokenAnswer(Failure(title=f"{self._address} answers with {what}"))


def _command(words: Sequence[str]) -> bytes:
    parts = [word.encode() for word in words]
    body = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%s" % (len(parts), body)


def read_info(text: str) -> dict[str, str]:
    """The fields of an INFO answer, clean; lines that are none are left out."""
    pairs = (line.partition(":") for line in text.splitlines() if line[:1].isalpha())
    return {clean_text(name, limit=60): clean_text(value, limit=120) for name, colon, value in pairs if colon}


def refusal(error: RedisError, address: str) -> AdapterError:
    """The server's no as one of ours. Its words may repeat what we sent, so only the code is passed on."""
    if error.code in _CREDENTIAL or "password" in error.words.lower():
        failure = Failure(
            title=f"{address} does not let this user in ({error.code})",
            retryable=False,
            fault=Fault.CREDENTIAL,
        )
        return RefusedByService(failure)
    if error.code == "DENIED":
        title = f"{address} is in protected mode and answers its own host only"
        return RefusedByService(Failure(title=title, retryable=False, fault=Fault.PLAN))
    return ServiceTrouble(Failure(title=f"{address} answers with an error ({error.code})"))
