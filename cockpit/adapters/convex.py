"""One Convex deployment as a lever or a monitor sees it: its name, its queries, its mutations.

Every question is asked once, in places shared with everything else that we ask of this deployment.
Queries are answered in the encoded format, which alone tells a 64-bit integer from text.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.adapters.again import once_more_after_reset
from cockpit.adapters.base import AdapterError, BrokenAnswer, RefusedByService, ServiceTrouble
from cockpit.adapters.probes.convex_answer import Called, outage, read_call, read_envelope, read_word
from cockpit.core.clean import finite_number
from cockpit.core.dataclass import dataclass
from cockpit.core.model import Failure, Fault
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer, HttpHost, Web

_CANNOT_ASK: Final = frozenset({401, 403, 407, 429})
ENCODED: Final = "convex_encoded_json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One query with its arguments."""

    function: str
    args: Mapping[str, object]


class Deployment:
    """`instance` is the name that must answer; where it is None, any may."""

    def __init__(self, host: HttpHost, *, instance: str | None) -> None:
        self._host = host
        self.instance = instance

    @property
    def address(self) -> str:
        return self._host.address

    async def verify(self) -> datetime | None:
        """The time there, if told, when this is the deployment that the plan names. Raises AdapterError, and
        WrongDeployment only when another one answered.
        """
        answer = await self.get("/instance_name")
        if answer.status in _CANNOT_ASK:
            raise answer.as_error()
        if answer.status >= 500:
            raise _trouble(outage(answer), answer)
        name = read_word(answer, "its name")
        if self.instance not in (None, name):
            title = f"wrong deployment: {name} answers, the plan says {self.instance}"
            failure = Failure(title=title, detail=answer.asked, retryable=False, fault=Fault.PLAN)
            raise WrongDeployment(failure)
        return answer.server_time

    async def query(self, function: str, args: Mapping[str, object]) -> object:
        """The value of a query. Raises AdapterError, also when the function threw."""
        return await self._value(
            "/api/query", {"path": function, "args": dict(args), "format": ENCODED}, function
        )

    async def _value(self, path: str, question: Mapping[str, object], function: str) -> object:
        answer = await once_more_after_reset(lambda: self._host.read_post(path, json=question, retry=False))
        called = read_call(answer, function)
        if called.trouble:
            raise _trouble(called.trouble, answer)
        return called.value

    async def query_component(self, component: str, function: str, args: Mapping[str, object]) -> object:
        """The value of a query within a component of the application. Raises AdapterError as `query` does."""
        question = {"componentPath": component, "path": function, "args": dict(args), "format": ENCODED}
        return await self._value("/api/function", question, function)

    async def query_at_once(self, questions: Sequence[Question]) -> tuple[Sequence[Called], datetime | None]:
        """Several queries at one timestamp, answered in order, and the deployment's time. That a function
        threw is its own answer. Raises AdapterError.
        """
        asked = [{"path": each.function, "args": dict(each.args), "format": ENCODED} for each in questions]
        answer = await once_more_after_reset(
            lambda: self._host.read_post("/api/query_batch", json={"queries": asked}, retry=False)
        )
        if answer.status != 200:
            raise _trouble(outage(answer), answer)
        body = answer.json()
        results = body.get("results") if isinstance(body, dict) else None
        if not isinstance(results, list) or len(results) != len(asked):
            raise BrokenAnswer(Failure(title="not the answers of Convex functions", detail=answer.asked))
        called = [
            read_envelope(answer, each, question.function)
            for each, question in zip(results, questions, strict=True)
        ]
        return called, answer.server_time

    async def read(self, path: str, params: Mapping[str, str] | None = None) -> object:
        """The JSON body of an address that only reads. Raises AdapterError."""
        answer = await self.get(path, params)
        if answer.status != 200:
            raise _trouble(outage(answer), answer)
        return answer.json()

    async def send(self, function: str, args: Mapping[str, object]) -> Answer:
        """Call a mutation, once. Every status comes back as it is."""
        order = {"path": function, "args": dict(args), "format": "json"}
        return await self._host.write("POST", "/api/mutation", json=order)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        return await once_more_after_reset(
            lambda: self._host.get(path, params=params, retry=False, redirects=False)
        )

    async def aclose(self) -> None:
        await self._host.aclose()


class WrongDeployment(RefusedByService):
    """Another deployment answers than the plan says."""


def deployment(
    web: Web, url: str, *, key: Secret, instance: str | None, ca_file: str | None, timeout_s: float
) -> Deployment:
    """Raises RefusedByService for an address that cannot be used."""
    headers = {"Authorization": Secret(f"Convex {key.reveal()}")}
    host = web.host(url, headers=headers, timeout_s=timeout_s, ca_file=ca_file, shared=True)
    return Deployment(host, instance=instance)


def number(raw: object) -> float:
    """A finite number from an encoded value: plain, or a 64-bit integer. Raises ValueError."""
    if isinstance(raw, Mapping) and len(raw) == 1 and isinstance(raw.get("$integer"), str):
        try:
            return float(struct.unpack("<q", base64.b64decode(raw["$integer"], validate=True))[0])
        except (binascii.Error, struct.error):
            raise ValueError("not an encoded integer") from None
    if isinstance(raw, str):
        raise ValueError("text, not a number")
    return finite_number(raw)


def _trouble(title: str, answer: Answer) -> AdapterError:
    return ServiceTrouble(Failure(title=title, detail=answer.asked), status=answer.status)
