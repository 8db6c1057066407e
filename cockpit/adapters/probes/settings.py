"""What a plan may say about a probe. Light on purpose: the plan is checked without a network library."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, PlainValidator, model_validator

from cockpit.adapters.base import Seconds, Settings
from cockpit.adapters.fields import BaseUrl, HeaderName, HeaderValue, Reference, Url
from cockpit.adapters.probes.pointer import Scalar, split_pointer

_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "apikey"})
_FUNCTION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_/.-]{0,199}(:[A-Za-z0-9_]{1,100})?\Z")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")


def _pointer(pointer: str) -> str:
    split_pointer(pointer)
    return pointer


def _scalar(raw: object) -> Scalar:
    if isinstance(raw, float) and not math.isfinite(raw):
        raise ValueError("JSON knows no such number")
    if not isinstance(raw, Scalar):
        raise ValueError("a text, a number, true or false")
    return raw


def _headers(headers: Mapping[str, object]) -> Mapping[str, object]:
    for name, value in headers.items():
        if isinstance(value, str) and name.lower() in _SECRET_HEADERS:
            raise ValueError(f'{name} holds a secret: give it by reference, such as {{ env = "NAME" }}')
    return headers


def _function(path: str) -> str:
    if not _FUNCTION.match(path):
        raise ValueError('a function is named like "health:check" or "ops/health:check"')
    return path


def _instance(name: str) -> str:
    if not _INSTANCE.match(name):
        raise ValueError('a deployment name is letters, digits and dashes, such as "happy-otter-123"')
    return name


class JsonCheck(Settings):
    """What the JSON body must say. `pointer` is RFC 6901, "" is the whole body.

    `equals` compares without conversion: 1 equals 1.0, but neither equals true or "1".
    """

    pointer: Annotated[str, AfterValidator(_pointer)]
    equals: Annotated[Scalar, PlainValidator(_scalar, json_schema_input_type=Scalar)]


class HttpProbeSettings(Settings):
    """One address that tells whether a service is healthy.

    The status decides, `json` refines. Slower than `latency_limit` or fewer than `tls_days` days of
    certificate left is degraded. Redirects are not followed: a login page is no health proof.
    """

    url: Url
    method: Literal["GET", "HEAD"] = "GET"
    expect_status: tuple[Annotated[int, Field(ge=100, le=599)], ...] = Field(
        default=(200,), min_length=1, strict=False
    )
    body: JsonCheck | None = Field(default=None, alias="json")
    latency_limit: Annotated[Seconds, Field(gt=0)] | None = None
    tls_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    headers: Annotated[Mapping[HeaderName, HeaderValue | Reference], AfterValidator(_headers)] = Field(
        default_factory=dict
    )
    token: Reference | None = None
    ca_file: str | None = None

    @model_validator(mode="after")
    def _body_to_look_into(self) -> Self:
        if self.method == "HEAD" and self.body is not None:
            raise ValueError("HEAD brings no body, so json has nothing to look into: use GET")
        return self


class ConvexProbeSettings(Settings):
    """One Convex deployment, cloud or self-hosted.

    instance: the deployment name that must answer. health_query: a public query that works when the
    backend works. admin_key: only to read the deployment's state (paused, disabled); a key with the
    data view right is enough.
    """

    url: BaseUrl
    instance: Annotated[str, AfterValidator(_instance)] | None = None
    health_query: Annotated[str, AfterValidator(_function)] | None = None
    health_args: Mapping[str, JsonValue] = Field(default_factory=dict)
    admin_key: Reference | None = None
    latency_limit: Annotated[Seconds, Field(gt=0)] | None = None
    ca_file: str | None = None
