"""The network's convolutions and its linear maps from fc (docs/experiment.md 2), computed in ways that suit a CPU.

Each has the parameters and the result of a plain PyTorch layer. It computes with derived weights
(folded, cast, in another order). They are derived from the parameters once for each forward pass
over all timesteps, or once for several passes (:func:`fixed_parameters`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Deriving(nn.Module, ABC):
    """A layer that computes with tensors derived from its parameters."""

    _kept: dict[tuple[Any, ...], Any] | None = None  # within fixed_parameters

    @abstractmethod
    def derive(self, *how: Any) -> Any:
        """Compute the derived tensors."""

    def derived(self, *how: Any) -> Any:
        """The result of :meth:`derive`, which is computed once within :func:`fixed_parameters`."""
        if self._kept is None:
            return self.derive(*how)
        if how not in self._kept:
            self._kept[how] = self.derive(*how)
        return self._kept[how]


@contextmanager
def fixed_parameters(network: nn.Module) -> Iterator[None]:
    """A context for forward passes in which the parameters do not change. It may be nested: the outermost counts."""
    layers = [
        layer for layer in network.modules() if isinstance(layer, Deriving) and layer._kept is None
    ]
    for layer in layers:
        layer._kept = {}
    try:
        yield
    finally:
        for layer in layers:
            layer._kept = None


class RowConvolution(Deriving, nn.Conv2d):
    """A convolution with stride 1 that folds neighbouring pixels of a row into channels.

    The parameters and the result are those of ``nn.Conv2d``. A channels-last map of few channels
    can be read, without a copy, as a map of more channels and fewer columns. The extra arithmetic on
    zeros between the weights costs less than a CPU's vector units lose on fewer than 16 channels.
    Where the columns cannot be folded evenly (on the image with kernels of 3, 7 or 11 pixels),
    PyTorch's convolution is used.
    """

    def forward(self, input: Tensor) -> Tensor:
        """From (batch, channels, height, width) to (batch, filters, rows, columns)."""
        height, width = input.shape[2:]
        kernel, padding = self.kernel_size[0], int(self.padding[0])
        columns = width + 2 * padding - kernel + 1
        # Folds to 4 channels in and 16 or more out. More folding is slower again, because of the zeros.
        fold = 4 if self.in_channels == 1 else 2 if self.out_channels < 16 else 1
        if fold == 1 or width % fold or columns % fold:
            return super().forward(input)
        weight, bias = self.derived(fold)
        blocks = input.permute(0, 2, 3, 1).reshape(
            -1, height, width // fold, fold * self.in_channels
        )
        margin = -(-padding // fold)
        output = F.conv2d(
            blocks.permute(0, 3, 1, 2), weight, bias, padding=(padding, margin)
        ).permute(0, 2, 3, 1)
        pixels = output.reshape(len(output), output.shape[1], -1, self.out_channels)
        return pixels[:, :, :columns].permute(0, 3, 1, 2)

    def derive(self, fold: int) -> tuple[Tensor, Tensor]:
        """Weight (fold x filters, fold x channels, kernel, taps) and bias for blocks of ``fold`` pixels of a row."""
        assert self.bias is not None
        kernel, padding = self.kernel_size[0], int(self.padding[0])
        margin = -(-padding // fold)  # blocks
        first = margin * fold - padding  # pixel of its blocks that the first output pixel sees
        taps = -(-(first + kernel + fold - 1) // fold)
        weight = torch.stack(
            [F.pad(self.weight, (first + n, taps * fold - kernel - first - n)) for n in range(fold)]
        )
        weight = weight.unflatten(-1, (taps, fold)).permute(0, 1, 5, 2, 3, 4)
        weight = weight.reshape(fold * self.out_channels, fold * self.in_channels, kernel, taps)
        return weight, self.bias.repeat(fold)


class UpConvolution(Deriving, nn.ConvTranspose2d):
    """A transposed convolution without padding, computed as a dense convolution and a shuffle of pixels.

    With stride s the output has s x s phases. Each is an ordinary convolution of the input with every
    s-th weight. The parameters and the result are those of ``nn.ConvTranspose2d``. With large strides
    it is many times faster on a CPU.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """From (batch, channels, n, n) to (batch, filters, m, m), m = (n - 1) stride + kernel."""
        channels, stride, kernel = self.out_channels, self.stride[0], self.kernel_size[0]
        taps = -(-kernel // stride)
        missing, blocks = taps * stride - kernel, input.shape[-1] + taps - 1
        weight, bias = self.derived()
        # Padded beforehand: with this much padding, oneDNN's convolution is several times slower.
        padded = F.pad(input, (taps - 1,) * 4)
        if taps == 2:  # four neighbours of few pixels: a matrix product is faster still
            near = padded.permute(0, 2, 3, 1)
            corners = [near[:, i : i + blocks, j : j + blocks] for i in (0, 1) for j in (0, 1)]
            phases = F.linear(torch.cat(corners, -1), weight.flatten(1), bias)
        else:
            phases = F.conv2d(padded, weight.permute(0, 3, 1, 2), bias).permute(0, 2, 3, 1)
        # The last axis moves as one: (batch, block row, block column, phase row, [phase column, channel]).
        phases = phases.reshape(-1, blocks, blocks, stride, stride * channels).transpose(2, 3)
        pixels = phases.reshape(-1, blocks * stride, blocks * stride, channels)
        return F.pad(pixels, (0, 0, 0, -missing, 0, -missing)).permute(0, 3, 1, 2)

    def derive(self) -> tuple[Tensor, Tensor]:
        """Weight (phases and channels, taps, taps, input channels) and bias of the convolution to all phases."""
        assert self.bias is not None
        stride, kernel = self.stride[0], self.kernel_size[0]
        taps = -(-kernel // stride)
        missing = taps * stride - kernel
        weight = F.pad(self.weight, (0, missing, 0, missing))
        weight = weight.view(self.in_channels, -1, taps, stride, taps, stride).flip(2, 4)
        weight = weight.permute(3, 5, 1, 2, 4, 0).reshape(-1, taps, taps, self.in_channels)
        return weight, self.bias.repeat(stride * stride)


class ToMap(Deriving, nn.Linear):
    """A linear connection from the fc layer to a map (channels, height, width).

    Its rows are in the order height, width, channel: the order of a channels-last map in memory.
    """

    def __init__(self, units: int, shape: tuple[int, int, int]) -> None:
        self.channels, self.height, self.width = shape
        super().__init__(units, self.channels * self.height * self.width)

    def forward(self, input: Tensor) -> Tensor:
        """From (batch, units) to (batch, channels, height, width)."""
        flat = _Use.apply(input, *self.derived(input.dtype))
        return flat.view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)

    def derive(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor]]]:
        """Weight and bias in ``dtype``, and a list for the inputs and gradients of their uses."""
        uses: list[tuple[Tensor, Tensor]] = []
        return *_Shared.apply(self.weight, self.bias, dtype, uses), uses


class _Shared(torch.autograd.Function):
    """The parameters of a linear layer; their gradients are computed once, over all uses.

    The weight gradient of a connection to a map has millions of numbers. PyTorch would write it for
    each timestep and add them up. The backward pass arrives here after the one of every use.
    """

    @staticmethod
    def forward(ctx, weight, bias, dtype, uses):  # type: ignore[no-untyped-def]
        ctx.set_materialize_grads(False)
        ctx.uses = uses
        return weight.to(dtype), bias.to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, *_):  # type: ignore[no-untyped-def]
        inputs, gradients = (torch.cat(parts) for parts in zip(*ctx.uses, strict=True))
        ctx.uses.clear()
        return gradients.mT @ inputs, gradients.sum(0), None, None


class _Use(torch.autograd.Function):
    """One use of a linear layer; it leaves the gradients of the parameters to :class:`_Shared`."""

    @staticmethod
    def forward(ctx, input, weight, bias, uses):  # type: ignore[no-untyped-def]
        ctx.uses = uses
        ctx.save_for_backward(input, weight)
        return F.linear(input, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        input, weight = ctx.saved_tensors
        ctx.uses.append((input, gradient))
        return gradient @ weight, None, None, None
