"""How settings name sounds: a file, a country whose tones are meant, or silence."""

from __future__ import annotations

import re
from typing import Final

SILENCE: Final = "silence"


def is_country(source: str) -> bool:
    """Whether the tones of a country are meant (two capital letters, ISO 3166), not a file."""
    return re.fullmatch("[A-Z]{2}", source) is not None
