"""Python runs this first in every job: until :func:`recurrence.job.logged`, Ctrl-C ends the job without a traceback."""

import signal

if (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):  # not ignored, as it is in the background
    signal.signal(signal.SIGINT, signal.SIG_DFL)
