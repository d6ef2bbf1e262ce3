"""Whatever cannot be used is told with the setting that named it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from call.errors import GatewayError, TransportError


@contextlib.contextmanager
def blaming(setting: str) -> Iterator[None]:
    """Within the block an error gets the setting before its sentence.

    Raises:
        TransportError: Something that the setting names cannot be used.
    """
    try:
        yield
    except GatewayError as error:
        raise TransportError(f"{setting}: {error}", hint=error.hint) from error
