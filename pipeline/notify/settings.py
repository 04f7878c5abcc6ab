"""Who is notified about a job, as stored in its folder.

This is in ``.retouch/notify`` and in no other file: a webhook's URL is often a secret (whoever knows that of a Slack
channel can write there), so it is in no specification, record, report, log, status or message. The secret that signs
messages is not stored at all: ``RETOUCH_NOTIFY_SECRET`` must be set where the sender runs. No command is stored
either, because whoever can write to a store must not be able to run code on the machines that work on it.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from pipeline.errors import InvalidInput, StoreError, UsageError
from pipeline.job.folder import JobFolder
from pipeline.notify.event import Bound
from pipeline.urls.addresses import check_url

SECRET = "RETOUCH_NOTIFY_SECRET"  # noqa: S105 - the name of the variable
_FILE = ".retouch/notify"
_SLACK = "hooks.slack.com"
_PREFIX = "whsec_"
#: Bytes of a secret, according to Standard Webhooks.
_LEAST, _MOST = 24, 64


class WebhookFormat(StrEnum):
    """What is sent to a webhook: a signed message as defined by standardwebhooks.com, or a message for Slack."""

    STANDARD = "standard"
    SLACK = "slack"


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is notified about one job.

    Attributes:
        url: the webhook; never shown.
        private: its address need not be on the public internet.
        signed: there was a secret when this was set up, so a sender without one sends nothing.
        failures: how many failures are worth a notification.
    """

    url: str | None = None
    format: WebhookFormat = WebhookFormat.STANDARD
    private: bool = False
    signed: bool = False
    failures: Bound | None = None

    def __repr__(self) -> str:
        return f"NotifySettings(url={self.receiver!r}, format={self.format}, signed={self.signed})"

    @property
    def receiver(self) -> str | None:
        """The webhook as it may be shown: without its path, which may be a secret."""
        return None if self.url is None else _shown(self.url)


def notify_of(
    *,
    url: str | None,
    style: str | None,
    private: bool,
    failures: Bound | None,
) -> NotifySettings:
    """Check the options; the name of the URL's host is not resolved yet. *style*: the name of a format.

    Raises:
        UsageError: the URL, or the secret in the environment, cannot be used.
    """
    if url is None:
        return NotifySettings(failures=failures)
    try:
        host = check_url(url, allow_private=private).host
    except InvalidInput as error:
        mend = ": pass --notify-private to allow it" if error.code == "private_address" else ""
        raise UsageError(f"--notify: {_WRONG.get(error.code, 'is not a URL')}{mend}") from None
    guessed = WebhookFormat.SLACK if host == _SLACK else WebhookFormat.STANDARD
    chosen = WebhookFormat(style) if style else guessed
    signed = chosen is WebhookFormat.STANDARD and secret_key() is not None
    return NotifySettings(url=url, format=chosen, private=private, signed=signed, failures=failures)


_WRONG = {
    "private_address": "has an address that is not on the public internet",
    "unsupported": "is neither http:// nor https://",
}


def secret_key(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The key from ``RETOUCH_NOTIFY_SECRET`` that signs messages; ``None``: nothing is signed.

    Raises:
        UsageError: it is not base64 of 24 to 64 bytes, with or without ``whsec_`` before it.
    """
    text = environment.get(SECRET, "").strip()
    if not text:
        return None
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not _LEAST <= len(key) <= _MOST:
        raise UsageError(
            f"{SECRET} is not a Standard Webhooks secret ({_PREFIX} and base64 of {_LEAST} to {_MOST} "
            "bytes): make one with `openssl rand -base64 32`"
        )
    return key


async def store_settings(folder: JobFolder, notify: NotifySettings) -> None:
    """Store who is notified about the job from now on.

    Raises:
        StoreError: it cannot be stored.
    """
    if notify == NotifySettings():
        await folder.store.delete([_FILE])
    else:
        await folder.store.put(_FILE, msgspec.json.encode(notify), private=True)


async def stored_settings(folder: JobFolder) -> NotifySettings:
    """Who is notified about the job.

    Raises:
        StoreError: this cannot be read, or is damaged.
    """
    data = await folder.store.get(_FILE)
    if data is None:
        return NotifySettings()
    try:
        return msgspec.json.decode(data, type=NotifySettings)
    except msgspec.DecodeError:
        raise StoreError(
            f"{folder.store.url}/{_FILE} is not valid: submit the job again with its --notify"
        ) from None


def _shown(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0].rpartition('@')[2]}"[:200]
