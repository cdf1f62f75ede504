"""Dates on the command line."""

from datetime import UTC, datetime

from inland.domain.errors import BadInput


def unix_seconds(text: str, option: str) -> int:
    """Unix seconds of an ISO 8601 date or time, UTC unless it says otherwise. Raises BadInput."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            option, f"{text!r} is no date such as 2026-12-31 or 2026-12-31T18:00"
        ) from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def utc(unix_s: int) -> str:
    """A moment for people."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
