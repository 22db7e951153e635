"""What the terminal shows of a run: one line for each job, the share that is done, and the time left.

The log file has Snakemake's own messages, unchanged. Snakemake prints its name at the end.
"""

import logging
import time
from collections.abc import Mapping

from recurrence.job import CLEAR_LINE, duration

STOPPED = "Stopped. Finished files are kept, and the same command goes on from there."
CHATTER = ("Select jobs to execute", "Removing temporary output")


class JobLines(logging.Filter):
    """A filter for the handler of the terminal: it replaces Snakemake's messages about jobs with shorter ones.

    ``counts`` has the number of jobs for each rule, ``works`` the work of one (:func:`recurrence.work.mean_work`);
    ``parallel`` jobs run at a time.
    """

    def __init__(
        self,
        handler: logging.Handler,
        counts: Mapping[str, int],
        works: Mapping[str, float],
        parallel: int,
    ) -> None:
        super().__init__()
        self.handler, self.works, self.parallel = handler, works, parallel
        self.left = dict(counts)
        self.running: dict[int, tuple[str, str, float]] = {}
        self.seconds: dict[str, list[float]] = {}  # of the finished jobs of each rule
        self.finished: tuple[str, float] | None = None
        self.stopped = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the handler shows a message of Snakemake unchanged."""
        event, facts = getattr(getattr(record, "event", None), "name", ""), record.__dict__
        message = str(record.msg)
        if message.startswith("Terminating processes on user request"):
            self.stopped = True
            self._say(STOPPED)
        if self.stopped:
            return message.startswith("Complete log")
        match event:
            case "JOB_INFO":
                label = facts["rule_msg"] or facts["rule_name"]
                self.running[facts["jobid"]] = (facts["rule_name"], label, time.monotonic())
            case "JOB_FINISHED" if facts["job_id"] in self.running:
                rule, label, started = self.running.pop(facts["job_id"])
                self.finished = (label, time.monotonic() - started)
                self.seconds.setdefault(rule, []).append(self.finished[1])
                self.left[rule] = self.left.get(rule, 1) - 1
            case "PROGRESS" if self.finished:
                label, took = self.finished
                percent = 100 * facts["done"] // facts["total"]
                self._say(f"[{percent:3d} %] {label}: {duration(took)}{self._time_left()}")
            case "JOB_STARTED" | "JOB_FINISHED" | "PROGRESS":
                pass
            case _:
                return not message.startswith(CHATTER)
        return False

    def _say(self, text: str) -> None:
        terminal = getattr(getattr(self.handler, "stream", None), "isatty", lambda: False)()
        clear = CLEAR_LINE if terminal else ""  # removes a progress line
        record = logging.LogRecord("", logging.INFO, "", 0, clear + text, None, None)
        self.handler.emit(record)

    def _time_left(self) -> str:
        """The time until all jobs are done, once one for a network has been measured."""
        means = {rule: sum(taken) / len(taken) for rule, taken in self.seconds.items()}
        measured = [rule for rule in self.works if rule in means and self.works[rule]]
        if not measured:
            return ""
        rate = sum(means[rule] for rule in measured) / sum(self.works[rule] for rule in measured)
        expected = {rule: means.get(rule, rate * self.works.get(rule, 0)) for rule in self.left}
        now = time.monotonic()
        done = sum(min(now - began, expected[rule]) for rule, _, began in self.running.values())
        left = sum(expected[rule] * count for rule, count in self.left.items()) - done
        return f"; {duration(left / self.parallel)} left in all" if left > 0 else ""
