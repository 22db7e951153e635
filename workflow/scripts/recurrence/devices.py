"""Devices: which one a job computes on, its threads and memory, and copies to it."""

import ctypes
from contextlib import suppress
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h


def prepare_torch(device: str, threads: int) -> torch.device:
    """Set PyTorch's threads and allocator, and give the device that ``compute.device`` names.

    Raises ``ValueError`` if that is a GPU and there is none.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"compute.device is {device}, and PyTorch finds no GPU that it can use: set cpu or auto"
        )
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32, on GPUs too
    return torch.device(device)


def keep_freed_memory() -> None:
    """Ask glibc to keep large freed blocks for the next allocation (elsewhere: do nothing).

    By default every temporary of some megabytes is mapped and unmapped, and the page faults cost
    about as much as the arithmetic on it.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def send(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device; through pinned memory, from which a GPU copies without a wait."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda" and torch.cuda.is_available():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
