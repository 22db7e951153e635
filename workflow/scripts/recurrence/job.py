"""What every job of the workflow has around its work: a log, a lock and lines of progress."""

import fcntl
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def logged(log: str) -> Iterator[None]:
    """Send prints and tracebacks of the enclosed block to the file ``log``; show the error in the terminal as well.

    Raises ``RuntimeError`` if another process still does the same job, as jobs do that outlive their Snakemake.
    """
    stdout, stderr = sys.stdout, sys.stderr
    with _alone(Path(log)), Path(log).open("w", buffering=1) as file:
        sys.stdout = sys.stderr = file
        try:
            yield
        except BaseException as error:
            print(f"error: {error}\n(the full story is in {log})", file=stderr)
            with suppress(OSError):  # a disk that is full
                traceback.print_exc()
            raise
        finally:
            sys.stdout, sys.stderr = stdout, stderr


@contextmanager
def _alone(log: Path) -> Iterator[None]:
    """Hold a lock beside the log, which Snakemake removes when it starts the job once more."""
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
            print(f"{path} cannot be locked ({error}); going on without")
        yield


class Progress:
    """Plain lines on how far a long job is: into its log and, where there is a terminal, to the person watching."""

    def __init__(
        self, rule: str, wildcards: Iterable[str], total: int = 0, every: float = 15.0
    ) -> None:
        """The job is named by its rule and wildcards; ``total`` is its number of steps, ``every`` in seconds."""
        self.label, self.total, self.every = " ".join([rule, *wildcards]), total, every
        self._started = self._shown = time.monotonic()
        self._first: int | None = None

    def due(self) -> bool:
        """Is it time for another line?"""
        return time.monotonic() - self._shown >= self.every

    def show(self, done: int, **facts: float) -> None:
        """Say that ``done`` steps are done, with ``facts`` by name, and about how long the rest will take."""
        self._shown = time.monotonic()
        if self._first is None:  # a resumed job did not do the first steps in this process
            self._first, self._started, left = done, self._shown, ""
        else:
            rate = (done - self._first) / max(1e-9, self._shown - self._started)
            left = f", {duration((self.total - done) / rate)} left" if rate else ""
        told = "".join(f", {name} {value:.3g}" for name, value in facts.items())
        line = f"{self.label}: {done}/{self.total}{told}{left}"
        print(line)
        if sys.__stderr__ is not None and sys.__stderr__.isatty():
            print(line, file=sys.__stderr__)


def duration(seconds: float) -> str:
    """Seconds in words that a person reads at a glance."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
