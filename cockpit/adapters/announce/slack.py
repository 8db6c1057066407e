"""Announcements to a Slack channel, by incoming webhook.

Protocol (docs.slack.dev, api.slack.com changelog 2016-05-17): POST of JSON to an address that is the
whole credential. Success is 200 with the plain text `ok`; every refusal is one short plain word with
400, 403, 404, 410, 429 or 500. `&`, `<` and `>` are escaped: unescaped, `<!channel>` would call everybody.
`text` is what notifications show, `blocks` what the channel shows.

Slack knows no delivery id, so a post whose answer was lost may appear twice; the event id stands in
the visible text for that reason. Only words that Slack is known to say are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cockpit.adapters.announce.address import SecretAddress, open_address
from cockpit.adapters.announce.refusal import not_taken, refusal
from cockpit.adapters.base import AdapterError, Announcement
from cockpit.adapters.credentials import Secrets
from cockpit.core.clean import clean_text

if TYPE_CHECKING:
    from cockpit.adapters.announce.settings import SlackSettings
    from cockpit.adapters.http import Answer, Web

# A section holds 3000 characters, and an escaped one may be five times as long as it was.
_TEXT_LIMIT: Final = 590
_MEANINGS: Final = {
    "invalid_payload": "the message is not what Slack expects",
    "no_text": "the message has no text",
    "invalid_blocks": "the message is not what Slack expects",
    "user_not_found": "it goes to a user who is not there",
    "action_prohibited": "the workspace does not allow this",
    "invalid_token": "the address is not valid any more",
    "channel_not_found": "its channel is gone",
    "no_service": "the webhook was removed or switched off",
    "no_team": "the workspace is gone",
    "channel_is_archived": "its channel is archived",
    "rollup_error": "Slack's own trouble",
}


def build(settings: SlackSettings, web: Web, secret: Secrets, timeout_s: float) -> SlackAnnouncer:
    """Raises what `secret` raises, and RefusedByService when the secret is not an address."""
    url = secret(settings.url)
    return SlackAnnouncer(
        open_address(url, web, timeout_s=timeout_s, ca_file=settings.ca_file, what="Slack's webhook")
    )


class SlackAnnouncer:
    def __init__(self, address: SecretAddress) -> None:
        self._address = address

    async def announce(self, announcement: Announcement) -> str:
        address = self._address
        answer = await address.host.write("POST", address.path.reveal(), json=message(announcement))
        said = answer.text(40)
        if answer.status == 200 and said == "ok":
            return f"Slack took it at {address}"
        if answer.status < 300:
            raise not_taken(answer, "Slack", f"HTTP {answer.status} without its ok, is this Slack's address?")
        raise self._refusal(answer, said)

    async def aclose(self) -> None:
        await self._address.host.aclose()

    def _refusal(self, answer: Answer, word: str) -> AdapterError:
        meaning = _MEANINGS.get(word)
        said = f"{word}, {meaning}" if meaning else ""
        return refusal(answer, "Slack", said=said, detail=str(self._address))


def message(announcement: Announcement) -> dict[str, object]:
    """The body of one post. Nothing in it is read as a mention or a link."""
    title, text = escape(announcement.title), escape(announcement.text)
    told = escape(f"{announcement.environment} · {announcement.actor} · event {announcement.event_id}")
    return {
        "text": f"{title} (event {escape(announcement.event_id)})",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{title}*"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": told}]},
        ],
    }


def escape(text: str) -> str:
    """Plain text for Slack: clean, not too long, with its three special characters escaped."""
    plain = clean_text(text, limit=_TEXT_LIMIT)
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
