"""What a plan may say about the people (and programs) to be told."""

from __future__ import annotations

from pydantic import Field

from cockpit.adapters.base import Settings
from cockpit.adapters.fields import Argument, Reference, Variable


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

    command: tuple[Argument, ...] = Field(min_length=1, strict=False)
    """The program and its arguments; exit code 0 means delivered."""
    pass_env: tuple[Variable, ...] = Field(default=(), strict=False)
    """Variables that the program gets beside a plain environment (PATH, HOME, LANG and their like)."""
