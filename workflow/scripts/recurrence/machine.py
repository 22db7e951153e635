"""The machine that a job runs on, in words. It needs nothing but the standard library."""

import os
import platform
import re
import sys
from contextlib import suppress
from pathlib import Path

CPU_FILE, MEMORY_FILE = Path("/proc/cpuinfo"), Path("/proc/meminfo")
NAME = re.compile(r"^(?:model name|Model)\s*:\s*(.+)$", re.MULTILINE)
TOTAL = re.compile(r"^MemTotal:\s*(\d+) kB$", re.MULTILINE)


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> str:
    """The processor, the cores that this process may use, the memory, the GPU if PyTorch has one, and the system."""
    processor = _found(NAME, CPU_FILE) or platform.processor() or platform.machine()
    parts = [processor, f"{cores()} cores"]
    if memory := _found(TOTAL, MEMORY_FILE):
        parts.append(f"{int(memory) / 2**20:.0f} GB of memory")
    torch = sys.modules.get("torch")  # jobs without PyTorch use no GPU
    if torch is not None and torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join([*parts, f"{platform.system()} {platform.machine()}"])


def _found(pattern: re.Pattern[str], path: Path) -> str:
    with suppress(OSError):
        if match := pattern.search(path.read_text()):
            return " ".join(match[1].split())
    return ""
