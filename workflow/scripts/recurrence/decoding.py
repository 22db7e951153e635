"""Linear decoding from activations and recurrent flow (paper 3.1 and A.4; docs/experiment.md 4).

The decoder is scikit-learn's ``LinearSVC`` with its defaults of 2021, on raw features: up to 73,728
numbers for each of 1,000 scenes. Its solver, dual coordinate descent, uses the features only in inner
products of scenes. So features with the same inner products give the same fit, up to rounding. The
Cholesky factor of the Gram matrix is such a set of features. It is small, half of it is zero (which
the solver skips), and it is computed once for all variables.
"""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.linalg import cholesky
from scipy.linalg.blas import dsyrk
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from recurrence.configuration.blocks import NetworkReadOuts, ReadOuts
from recurrence.names import ALL, FIRST_FLOW, FIRST_TIMESTEP, LAYERS
from recurrence.seeds import derive_seed
from recurrence.storage import open_hdf5
from recurrence.wiring import ends

if TYPE_CHECKING:
    from recurrence.job import Progress

COLUMNS = [
    *("repeat", "source", "layer", "timestep", "image", "variable", "accuracy", "unconverged"),
    "connection",
]
BLOCK = 4096  # columns in double precision at a time: 33 MB for 1,000 scenes
JITTER = 1e-12  # times the largest squared norm: a singular Gram matrix then has a factor too


class FeatureSet(NamedTuple):
    """The features of one layer at one timestep, in one repeat."""

    repeat: int
    source: str
    image: str
    layer: str
    timestep: int  # from 1
    connection: str = ALL  # or the one whose recurrent flow to the layer it is

    @property
    def dataset(self) -> str:
        """The path of the dataset in a recording."""
        if self.connection != ALL:
            return f"connection_flow/{self.connection}"
        return f"{_path(self.source, self.image)}/{self.layer}"


def gram_factor(features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Features with the same inner products as the given ones, in as few numbers as possible.

    From (n, d) finite numbers to (n, min(n, d)): the features in double precision if d <= n, else
    the lower triangular L with L L' = X X'. Row i of L depends only on the first i scenes, so scenes
    to fit and to score can share one factor. Sums are in double precision: in single precision, the
    Gram matrix of features of low rank has no factor.
    """
    n, d = features.shape
    if d <= n:
        return features.astype(np.float64)
    gram = np.zeros((n, n), order="F")
    for start in range(0, d, BLOCK):
        block = features[:, start : start + BLOCK].astype(np.float64)
        gram = dsyrk(1.0, block.T, beta=1.0, c=gram, trans=1, overwrite_c=1)
    diagonal = np.diag_indices(n)
    gram[diagonal] += max(JITTER * gram[diagonal].max(), np.finfo(float).tiny)
    return np.asarray(cholesky(gram, overwrite_a=True).T, order="C")


def read_out(
    features: npt.NDArray[np.float64], labels: npt.NDArray[Any], fit: int, seed: int, max_iter: int
) -> tuple[float, int]:
    """Fit a decoder on the first ``fit`` scenes, score it on the others: (n, d) features, (n,) labels.

    Returns the accuracy, and 1 if the solver stopped at ``max_iter`` (in any of its one-versus-rest
    problems), else 0. If all scenes to fit on have one class, that class is the prediction.
    """
    if np.all(labels[:fit] == labels[0]):
        return float(np.mean(labels[fit:] == labels[0])), 0
    classifier = LinearSVC(dual=True, max_iter=max_iter, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(features[:fit], labels[:fit])
    accuracy = classifier.score(features[fit:], labels[fit:])
    return float(accuracy), int(classifier.n_iter_ >= max_iter)


def _path(source: str, image: str) -> str:
    """The group of a recording with ``source`` for this kind of image."""
    return source if image == "cluttered" else f"{image}/{source}"


def feature_sets(file: h5py.File, block: NetworkReadOuts) -> Iterator[FeatureSet]:
    """All sets of features in a recording, in the order of the table.

    Recurrent flow is recorded only on cluttered scenes, and a feedforward network has none. That along each connection
    comes last.
    """
    apart = file.get("connection_flow", {}) if block.connections else {}
    by_target = sorted(apart, key=lambda name: [LAYERS.index(layer) for layer in ends(name)[::-1]])
    for repeat in range(block.repeats):
        for source in block.sources:
            for image in block.images:
                if source == "recurrent_flow" and _path(source, image) not in file:
                    continue
                group, first = file[_path(source, image)], FIRST_TIMESTEP[source]
                for layer in (layer for layer in LAYERS if layer in group):
                    for timestep in range(first, first + group[layer].shape[1]):
                        yield FeatureSet(repeat, source, image, layer, timestep)
        for name in by_target:
            for timestep in range(FIRST_FLOW, FIRST_FLOW + apart[name].shape[1]):
                target = ends(name)[1]
                yield FeatureSet(repeat, "recurrent_flow", "cluttered", target, timestep, name)


def _read_outs(
    features: npt.NDArray[Any],
    labels: Mapping[str, npt.NDArray[Any]],
    block: ReadOuts,
    seed: int,
    repeat: int,
) -> Iterator[dict[str, Any]]:
    """The columns variable, accuracy and unconverged for each variable, from one set of features (n, ...)."""
    factor = gram_factor(features.reshape(len(features), -1))
    state = derive_seed(seed, "decoding", repeat) % 2**32
    for variable in block.variables:
        accuracy, unconverged = read_out(factor, labels[variable], block.fit, state, block.max_iter)
        yield {"variable": variable, "accuracy": accuracy, "unconverged": unconverged}


def decode(
    activations: str | Path, block: NetworkReadOuts, seed: int, progress: "Progress"
) -> pd.DataFrame:
    """Decode each variable from each set of features in one network's recording.

    Repeat r takes scenes r * n to (r + 1) * n of the file, with n = ``block.scenes``. Decoders are fitted on the first
    ``block.fit`` of them and scored on the others. Returns the rows of decoding.csv without the columns that name the
    network. Accuracies are fractions; ``unconverged`` is 1 where the solver stopped at ``max_iter``; ``connection`` is
    ``all``, or the connection whose recurrent flow alone is decoded. Raises ``ValueError`` if the file has too few
    scenes.
    """
    n, variables = block.scenes, block.variables
    rows = []
    with open_hdf5(activations) as file:
        labels = {variable: file[f"labels/{variable}"][:] for variable in variables}
        recorded, needed = min(map(len, labels.values())), block.repeats * n
        if recorded < needed:
            raise ValueError(f"decoding needs {needed} scenes, but {activations} has {recorded}")
        sets = list(feature_sets(file, block))
        progress.total = len(sets)
        for number, one in enumerate(sets):
            scenes = slice(one.repeat * n, (one.repeat + 1) * n)
            features = file[one.dataset][scenes, one.timestep - FIRST_TIMESTEP[one.source]]
            here = {variable: values[scenes] for variable, values in labels.items()}
            for row in _read_outs(features, here, block, seed, one.repeat):
                rows.append({**one._asdict(), **row})
            if progress.due():
                progress.show(number + 1)
    return pd.DataFrame(rows, columns=COLUMNS)


def decode_scenes(files: list[str], block: ReadOuts, repeats: int, seed: int) -> pd.DataFrame:
    """Decode each variable from the scenes themselves, which are the input map at t = 1 of any network.

    The scenes of all ``files``, in order, are split into ``repeats`` of ``block.scenes``. Returns the
    columns repeat, variable, accuracy and unconverged. This needs no training, so it shows whether
    scenes and decoder are those of the paper (docs/experiment.md 6).
    """
    n = block.scenes
    rows = []

    def read(dataset: str, first: int) -> npt.NDArray[Any]:
        parts, start = [], 0
        for name in files:
            with open_hdf5(name) as shard:
                values = shard[dataset]
                parts.append(values[max(0, first - start) : max(0, first + n - start)])
                start += len(values)
        return np.concatenate(parts)

    for repeat in range(repeats):
        labels = {name: read(f"labels/{name}", repeat * n) for name in block.variables}
        for row in _read_outs(read("scenes", repeat * n), labels, block, seed, repeat):
            rows.append({"repeat": repeat, **row})
    return pd.DataFrame(rows)
