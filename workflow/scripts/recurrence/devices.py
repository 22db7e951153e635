"""Devices: the one that a job computes on, its threads, memory and precision, and copies to it."""

import ctypes
from contextlib import suppress
from functools import cache
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h


def prepare_torch(device: str, threads: int) -> torch.device:
    """Set PyTorch's threads and allocator, and return the device that ``compute.device`` names.

    Raises ``ValueError`` if that is a GPU and there is none.
    """
    torch.set_num_threads(threads)
    keep_freed_memory()
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"compute.device is {device}, but PyTorch finds no GPU that it can use: set cpu or auto"
        )
    torch.backends.cudnn.allow_tf32 = False  # GPUs too compute float32 as float32
    return torch.device(device)


def keep_freed_memory() -> None:
    """Ask glibc to keep large freed blocks for the next allocation. Without glibc, do nothing.

    By default, each temporary array of some megabytes is mapped and unmapped, and the page faults
    cost about as much as the arithmetic on it.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def resolve_precision(wanted: str, device: torch.device) -> str:
    """``wanted``, or for ``auto``: bfloat16 where ``device`` computes in it, else float32."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if computes_bfloat16(device) else "float32"


@cache
def computes_bfloat16(device: torch.device) -> bool:
    """Whether PyTorch multiplies in bfloat16 on ``device`` by the device's own instructions.

    What a CPU has is not enough: oneDNN may be kept from its instructions (``ONEDNN_MAX_CPU_ISA``), and then emulates
    them, up to 13 times slower than float32. So we look at a product: the bfloat16 instructions of CPUs take
    numbers below 1e-38 for 0, the emulation does not. Without any vector instructions
    (``ATEN_CPU_CAPABILITY=default``), all of bfloat16 but the products is emulated.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        return False
    tiny = torch.full((64, 64), 1e-39, dtype=torch.bfloat16)
    return not (tiny @ torch.ones_like(tiny)).any()


def send(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device, through pinned memory to a GPU, so that nothing waits for the copy."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda" and torch.cuda.is_available():
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
