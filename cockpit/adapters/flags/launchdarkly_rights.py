"""What LaunchDarkly tells of a write token, without writing.

`GET /caller-identity` names the token and `GET /tokens/ID` its role; every token may see itself. Whether
writes want an approval stands with the environment; then each is refused with 405, a kill as well. From the
vendor's documentation (docs/CallerIdentityRep.md, Token.md, ApprovalSettings.md of its Python client), where
nearly every field is optional: what is missing is told as not known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cockpit.adapters.base import AdapterError, BrokenAnswer, Preflight
from cockpit.adapters.flags.outcome import words
from cockpit.adapters.http_path import segment
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost

_API: Final = "/api/v2"
_MAY: Final = frozenset({"writer", "admin", "owner"})
_MAY_NOT: Final = frozenset({"reader", "no_access"})
_NEEDED: Final = "updateOn, updateFallthrough and updateOffVariation"
_NAMED: Final = 4

Told = tuple[bool | None, str]


async def rights_line(host: HttpHost, environment: str) -> Preflight:
    """Whether the write token is accepted, and whether its role may write."""
    try:
        identity = await _read(host, "/caller-identity")
        token = _text(identity, "tokenId")
        ok, detail = (
            (None, "LaunchDarkly does not say which token this is")
            if token is None
            else role_of(await _read(host, f"/tokens/{segment(token)}"), environment)
        )
    except AdapterError as error:
        ok, detail = _trouble(error)
    return _line(host, "the write token may write", ok, detail)


async def approvals_line(host: HttpHost, project: str, environment: str) -> Preflight:
    """Whether writes here go through without somebody's approval."""
    try:
        place = await _read(host, f"/projects/{segment(project)}/environments/{segment(environment)}")
        ok, detail = approvals(place.get("approvalSettings"))
    except AdapterError as error:
        ok, detail = None, words(error)
    return _line(host, "writes need no approval", ok, detail)


def role_of(token: Mapping[str, object], environment: str) -> Told:
    """From `GET /tokens/ID`. What a custom role allows is the account's own affair: it is not guessed."""
    role, custom = _text(token, "role"), _texts(token.get("customRoleIds"))
    owner = token.get("_member")
    owners = _text(owner, "role") if isinstance(owner, Mapping) else None
    if token.get("serviceToken") is not True and owners in _MAY_NOT:
        return False, f"its owner's role is {owners}, and a personal token may no more than its owner"
    if custom or token.get("inlineRole"):
        named = f"the custom roles {', '.join(custom[:_NAMED])}" if custom else "a policy of its own"
        return None, f"its rights are {named}: see there that they allow {_NEEDED} in {environment}"
    if role in _MAY:
        return True, f"its role is {role}"
    if role in _MAY_NOT:
        return False, f"its role is {role}"
    return None, f"its role is {role}" if role else "LaunchDarkly does not tell its role"


def approvals(raw: object) -> Told:
    """From the `approvalSettings` of an environment."""
    required = raw.get("required") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(required, bool):
        return None, "LaunchDarkly does not tell"
    if not required:
        return True, "they do not"
    tags = _texts(raw.get("requiredApprovalTags"))
    if tags:
        return None, f"they do for flags with the tags {', '.join(tags[:_NAMED])}"
    return False, "they do: every write would be refused, a rollback as well"


def _trouble(error: AdapterError) -> Told:
    """Not being allowed to look at tokens is no proof that flags may not be written."""
    no = error.status == 401 and error.failure.fault is Fault.CREDENTIAL
    return (False if no else None), words(error)


async def _read(host: HttpHost, path: str) -> Mapping[str, object]:
    answer = await host.get(f"{_API}{path}")
    answer.raise_for_status()
    body = answer.json()
    if not isinstance(body, Mapping):
        raise BrokenAnswer(Failure(title="the answer is not an object"))
    return body


def _text(holder: Mapping[str, object], name: str) -> str | None:
    found = holder.get(name)
    return clean_text(found, limit=80) if isinstance(found, str) and found else None


def _texts(raw: object) -> Sequence[str]:
    found = raw if isinstance(raw, list) else []
    return [clean_text(each, limit=40) for each in found if isinstance(each, str) and each]


def _line(host: HttpHost, question: str, ok: bool | None, detail: str) -> Preflight:
    return Preflight(subject=f"LaunchDarkly at {host.address}", question=question, ok=ok, detail=detail)
