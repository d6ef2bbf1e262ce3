"""How much memory a process holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024


def resident(pid: int) -> int:
    """Bytes that are in memory and its own: heap and stacks, not mapped files (Linux proc(5), RssAnon)."""
    found = re.search(r"^RssAnon:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def resident_in_all(pids: set[int]) -> int:
    """The same for several processes."""
    return sum(map(resident, pids))
