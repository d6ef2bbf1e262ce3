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


def resident_by_name(pids: set[int]) -> dict[str, int]:
    """The same for several Python processes, by module and process id."""
    return {f"{module_of(pid)} {pid}": resident(pid) for pid in pids}


def module_of(pid: int) -> str:
    """The Python module that a process runs."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return words[words.index("-m") + 1] if "-m" in words else words[0]
