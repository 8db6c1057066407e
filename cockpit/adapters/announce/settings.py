"""What a plan may say about the people (and programs) to be told."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from cockpit.adapters.base import Settings
from cockpit.adapters.fields import Reference

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}\Z")


def _variable(name: str) -> str:
    if not _VARIABLE.match(name):
        raise ValueError("not the name of an environment variable")
    return name


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("an argument holds no NUL")
    return text


class WebhookSettings(Settings):
    """A web address that takes JSON by POST."""

    url: Reference
    """The address itself is a secret, so it comes by reference."""
    secret: Reference | None = None
    """Shared with the receiver; with it every body is signed (HMAC-SHA256 in X-Cockpit-Signature)."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""


class CommandSettings(Settings):
    """A program that takes the announcement as JSON on standard input. Never a shell."""

    command: tuple[Annotated[str, AfterValidator(_argument)], ...] = Field(min_length=1, strict=False)
    """The program and its arguments; exit code 0 means delivered."""
    pass_env: tuple[Annotated[str, AfterValidator(_variable)], ...] = Field(default=(), strict=False)
    """Variables that the program gets beside a plain environment (PATH, HOME, LANG and their like)."""
