"""What every job needs besides its work: a log, a lock and progress lines."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from recurrence import job, records
from study import SCRIPTS


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("watched", [True, False])
def test_progress_is_reported_in_the_log_and_in_a_terminal(
    watched: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal() if watched else io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    clock = iter([0.0, 10.0, 30.0])
    monkeypatch.setattr(job.time, "monotonic", lambda: next(clock))
    progress = job.Progress("train_network", ["additive", "2"], 100)
    progress.show(10, loss=2.5)  # time counts from here: the job may have gone on from a checkpoint
    progress.show(20, loss=1.25, **{"validation accuracy": 0.5})
    lines = [
        "train_network additive 2: 10/100, loss 2.5",
        "train_network additive 2: 20/100, loss 1.25, validation accuracy 0.5, 3 min left",
    ]
    assert capsys.readouterr().out.splitlines() == lines
    assert terminal.getvalue() == "".join("\r\033[K" + line for line in lines if watched)


def test_a_job_is_done_by_one_process_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "logs/train/additive-1.log"
    of = SimpleNamespace(
        log=[str(log)], rule="train_network", output=[], config={"run": {"name": "tiny"}}
    )
    of.params, of.wildcards = {"seed": 1}, {"instance": "1"}
    monkeypatch.chdir(tmp_path)
    with (
        job.logged(of),
        pytest.raises(
            RuntimeError, match=r"another process still does this job .*additive-1\.lock"
        ),
        job.logged(of),
    ):
        pass
    with job.logged(of):  # the lock is free again
        print("done")
    assert log.read_text() == "done\n"
    record = json.loads(log.with_suffix(".json").read_text())
    assert record["made from"] == {"seed": 1} and record["run"] == "tiny"
    assert record == records.read(log.with_suffix(".json"))


def test_a_job_that_fails_leaves_no_record_of_an_earlier_one(tmp_path: Path) -> None:
    log = tmp_path / "logs/decode/additive-1.log"
    of = SimpleNamespace(log=[str(log)])
    log.parent.mkdir(parents=True)
    log.with_suffix(".json").write_text("{}")
    with pytest.raises(OSError, match="no space"), job.logged(of):
        raise OSError("no space")
    assert not log.with_suffix(".json").exists()


def test_outputs_count_as_made_if_only_the_record_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(job.records, "write", full)
    with job.logged(SimpleNamespace(log=[str(tmp_path / "a.log")])):
        print("done")
    assert (tmp_path / "a.log").read_text() == "done\n"


IMPORTING = "print('here', flush=True); import time; time.sleep(60)"
WORKING = """
from types import SimpleNamespace
from recurrence.job import logged
with logged(SimpleNamespace(log=["a.log"], rule="r", wildcards={}, params={}, output=[], input=[])):
    import sys, time
    print("here", file=sys.__stdout__, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("code", "ended", "logs"),
    [(IMPORTING, -signal.SIGINT, []), (WORKING, 130, ["stopped\n"])],
)
def test_a_stopped_job_prints_no_traceback(
    tmp_path: Path, code: str, ended: int, logs: list[str]
) -> None:
    path = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent / "startup")])
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, Ctrl-C is ignored, and so it would be in this process.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout and process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", "")
    assert process.returncode == ended
    assert [path.read_text() for path in tmp_path.glob("*.log")] == logs
