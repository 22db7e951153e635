"""The experiment of Thorat, Aldegheri & Kietzmann (SVRHM 2021) as a library; it knows nothing of Snakemake.

What one uses by hand is here: :func:`load` gives a run. docs/by_hand.md shows the rest.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurrence.by_hand import Run, Scenes, images, load, paint, plot, sample_sources
    from recurrence.network import Intervention, Trajectory, load_network
    from recurrence.scenes import SceneDistribution, SourceImages

__all__ = [
    "Intervention",
    "Run",
    "SceneDistribution",
    "Scenes",
    "SourceImages",
    "Trajectory",
    "images",
    "load",
    "load_network",
    "paint",
    "plot",
    "sample_sources",
]


def __getattr__(name: str) -> Any:
    """Import what is used by hand at its first use: the Snakefile imports this package too, and needs no PyTorch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from recurrence import by_hand, network

    return getattr(by_hand if hasattr(by_hand, name) else network, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
