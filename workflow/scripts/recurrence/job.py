"""What every job of the workflow needs besides its work: a log, a lock and progress lines."""

import fcntl
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from recurrence import records

CLEAR_LINE = "\r\033[K"  # of a terminal


@contextmanager
def logged(job: Any) -> Iterator[None]:
    """Write prints and tracebacks of the enclosed block to the log of ``job``; show errors in the terminal too.

    ``job`` is Snakemake's object in a script. What the job was made from is recorded when it is finished.

    Raises ``RuntimeError`` if another process still does the same job: it may have outlived its Snakemake.
    """
    stdout, stderr = sys.stdout, sys.stderr
    log = job.log[0]
    with _alone(Path(log)), Path(log).open("w", buffering=1) as file:
        sys.stdout = sys.stderr = file
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # by workflow/startup
            signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            records.remove(job)
            yield
        except KeyboardInterrupt:  # Snakemake is stopped too, and says so
            print("stopped")
            raise SystemExit(130) from None
        except BaseException as error:
            clear = CLEAR_LINE if stderr.isatty() else ""
            print(f"{clear}error: {error}\n(for details see {log})", file=stderr)
            with suppress(OSError):  # the disk may be full
                traceback.print_exc()
            raise
        else:
            with suppress(OSError):  # the disk may be full; the outputs are whole
                records.write(job)
        finally:
            sys.stdout, sys.stderr = stdout, stderr


@contextmanager
def _alone(log: Path) -> Iterator[None]:
    """Hold a lock next to the log. It is no file of Snakemake, which removes the log when it starts the job again."""
    log.parent.mkdir(parents=True, exist_ok=True)
    path = log.with_name(f".{log.stem}.lock")
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f"another process still does this job (it holds {path}): wait for it or stop it"
            ) from None
        except OSError as error:  # some network file systems have no locks
            print(f"{path} cannot be locked ({error}); going on without a lock")
        yield


class Progress:
    """Lines that report the progress of a long job in its log and, if there is one, in the terminal."""

    def __init__(
        self, rule: str, wildcards: Iterable[str], total: int = 0, every: float = 15.0
    ) -> None:
        """``rule`` and ``wildcards`` name the job; ``total`` counts its steps; ``every`` is seconds between lines."""
        self.label, self.total, self.every = " ".join([rule, *wildcards]), total, every
        self._started = self._shown = time.monotonic()
        self._first: int | None = None

    def due(self) -> bool:
        """Whether it is time for another line."""
        return time.monotonic() - self._shown >= self.every

    def show(self, done: int, **facts: float) -> None:
        """Print that ``done`` steps are done, the ``facts`` by name, and about how long the rest will take."""
        self._shown = time.monotonic()
        if self._first is None:  # a resumed job did not do the first steps in this process
            self._first, self._started, left = done, self._shown, ""
        else:
            rate = (done - self._first) / max(1e-9, self._shown - self._started)
            left = f", {duration((self.total - done) / rate)} left" if rate else ""
        facts_text = "".join(f", {name} {value:.3g}" for name, value in facts.items())
        line = f"{self.label}: {done}/{self.total}{facts_text}{left}"
        print(line)
        if sys.__stderr__ is not None and sys.__stderr__.isatty():
            width = shutil.get_terminal_size().columns - 1  # one line, which the next one replaces
            print(CLEAR_LINE + line[:width], end="", file=sys.__stderr__, flush=True)


def duration(seconds: float) -> str:
    """A time span for people to read."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
