import os
from pathlib import Path

from sip.schedstat import Turns, read_turns


def test_turns_are_read_of_a_process(tmp_path: Path) -> None:
    assert read_turns(Path("/proc", str(os.getpid()))) is not None
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "schedstat").write_text("1500000000 250000000 12\n")
    (tmp_path / "7" / "stat").write_text("7 (a (b) c) R 1 7\n")
    assert read_turns(tmp_path / "7") == Turns(1.5, 0.25, 12, is_ready=True)
    assert read_turns(tmp_path / "8") is None
