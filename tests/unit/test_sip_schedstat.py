import contextlib
import os
from pathlib import Path

from sip.schedstat import Scheduled, Turns


def written(folder: Path, schedstat: str, status: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "schedstat").write_text(schedstat)
    (folder / "status").write_text(status)
    return folder


def test_turns_are_read_of_this_process() -> None:
    with contextlib.closing(Scheduled(Path("/proc", str(os.getpid())))) as task:
        turns = task.turns()
    assert turns is not None
    assert turns.is_ready
    assert turns.rests > 0


def test_turns_are_read_anew_from_files_that_stay_open(tmp_path: Path) -> None:
    status = "Name:\ta State:\tR\nState:\t{}\nnonvoluntary_ctxt_switches:\t9\nvoluntary_ctxt_switches:\t5\n"
    written(tmp_path / "7", "1500000000 250000000 12\n", status.format("R (running)"))
    with contextlib.closing(Scheduled(tmp_path / "7")) as task:
        assert task.turns() == Turns(1.5, 0.25, 12, 5, is_ready=True)
        written(tmp_path / "7", "1600000000 250000000 13\n", status.format("S (sleeping)"))
        assert task.turns() == Turns(1.6, 0.25, 13, 5, is_ready=False)
    assert task.turns() is None


def test_a_task_that_is_not_there_or_speaks_otherwise_tells_nothing(tmp_path: Path) -> None:
    with contextlib.closing(Scheduled(tmp_path / "8")) as task:
        assert task.turns() is None
    with contextlib.closing(Scheduled(written(tmp_path / "9", "", ""))) as task:
        assert task.turns() is None
