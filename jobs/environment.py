"""The environment: ``.env`` in the working folder, and variables without an option."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import UsageError

#: The prefix of every option's variable.
PREFIX = "RETOUCH_"

#: The file that is read, unless ``RETOUCH_DOTENV`` names another; empty: none (tests and the demo).
DOTENV = ".env"
DEFAULT_STORE = "./retouch-jobs"
DEFAULT_REDIS_URL = "redis://localhost:6379/0"

#: Variables whose values are secrets, and those that may carry a password in a URL.
KEYS = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "RETOUCH_NOTIFY", "RETOUCH_NOTIFY_SECRET")
URLS_WITH_PASSWORDS = ("RETOUCH_REDIS_URL", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")


def read_dotenv() -> None:
    """Set the variables of ``.env`` that the environment does not set.

    Raises:
        UsageError: the file exists but cannot be read.
    """
    name = os.environ.get("RETOUCH_DOTENV", DOTENV)
    if not name or not Path(name).is_file():
        return
    # Costs 50 ms, and most folders have no such file.
    from dotenv import load_dotenv  # noqa: PLC0415

    try:
        load_dotenv(name, override=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{Path(name).absolute()}: cannot be read ({reason}); fix or remove it") from error


def has_working_folder() -> bool:
    """Whether the folder that this process was started in still has a path."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def store() -> str:
    """Where job folders and the registry of jobs are."""
    return os.environ.get("RETOUCH_STORE") or DEFAULT_STORE


def redis_url() -> str:
    """The broker and live state of submitted jobs."""
    return os.environ.get("RETOUCH_REDIS_URL") or DEFAULT_REDIS_URL
