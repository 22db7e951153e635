"""Linear read-outs: what can be decoded from activations and recurrent flow (paper 3.1, A.4).

The read-out is scikit-learn's ``LinearSVC`` with its defaults of 2021, on raw features: up to
73,728 numbers for each of 1,000 scenes. Its solver, dual coordinate descent, meets the features
only in inner products of scenes, so whatever has the same inner products is fitted along the same
path, up to rounding. The Cholesky factor of the Gram matrix has them, in half as many numbers as a
square (the solver skips zeros); it is made once and serves every variable.
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
from recurrence.names import FIRST_TIMESTEP, LAYERS
from recurrence.seeds import derive_seed
from recurrence.storage import open_hdf5

if TYPE_CHECKING:
    from recurrence.job import Progress

COLUMNS = [
    *("repeat", "source", "layer", "timestep", "image", "variable", "accuracy", "unconverged"),
]
BLOCK = 4096  # columns in double precision at a time: 33 MB for 1,000 scenes
JITTER = 1e-12  # of the largest squared norm, so that a singular Gram matrix has a factor too


class FeatureSet(NamedTuple):
    """One population at one moment: which features of which repeat are read out."""

    repeat: int
    source: str
    image: str
    layer: str
    timestep: int  # from 1


def gram_factor(features: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Features in as few numbers as possible, with the inner products of the given ones.

    From (n, d) finite numbers to (n, min(n, d)): the features themselves in double precision if
    d <= n, else the lower triangular L with L L' = X X'. Row i of L depends on the first i scenes
    alone, so fitted and scored scenes share one factor. The sums must be double: in single
    precision the Gram matrix of features of low rank has no factor.
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
    """Fit on the first ``fit`` scenes, score on the others: (n, d) features and (n,) labels.

    Returns the accuracy, and 1 if the solver stopped at ``max_iter`` (in any of its one-versus-rest
    problems), else 0. With a single class to fit on, that class is the prediction.
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
    """The group of the recording that holds ``source`` on that kind of image."""
    return source if image == "cluttered" else f"{image}/{source}"


def feature_sets(file: h5py.File, block: NetworkReadOuts) -> Iterator[FeatureSet]:
    """All that there is to read out, in the order of the table.

    The flow is recorded on cluttered scenes alone, and a feedforward network has none.
    """
    for repeat in range(block.repeats):
        for source in block.sources:
            for image in block.images:
                if source == "recurrent_flow" and _path(source, image) not in file:
                    continue
                group, first = file[_path(source, image)], FIRST_TIMESTEP[source]
                for layer in (layer for layer in LAYERS if layer in group):
                    for timestep in range(first, first + group[layer].shape[1]):
                        yield FeatureSet(repeat, source, image, layer, timestep)


def _read_outs(
    features: npt.NDArray[Any],
    labels: Mapping[str, npt.NDArray[Any]],
    block: ReadOuts,
    seed: int,
    repeat: int,
) -> Iterator[dict[str, Any]]:
    """The columns variable, accuracy and unconverged of every variable, from one feature set (n, ...)."""
    factor = gram_factor(features.reshape(len(features), -1))
    state = derive_seed(seed, "decoding", repeat) % 2**32
    for variable in block.variables:
        accuracy, unconverged = read_out(factor, labels[variable], block.fit, state, block.max_iter)
        yield {"variable": variable, "accuracy": accuracy, "unconverged": unconverged}


def decode(
    activations: str | Path, block: NetworkReadOuts, seed: int, progress: "Progress"
) -> pd.DataFrame:
    """Read out every variable from every feature set of one network's recording.

    Repeat r takes scenes r * n to (r + 1) * n of the file, n = ``block.scenes``; the first ``block.fit`` of these are
    fitted, the others scored. Returns the rows of decoding.csv without the columns that name the network: accuracies
    are fractions, ``unconverged`` is 1 where the solver stopped at ``max_iter``. Raises
    ``ValueError`` if the file holds too few scenes.
    """
    n, variables = block.scenes, block.variables
    rows = []
    with open_hdf5(activations) as file:
        labels = {variable: file[f"labels/{variable}"][:] for variable in variables}
        recorded, needed = min(map(len, labels.values())), block.repeats * n
        if recorded < needed:
            raise ValueError(f"decoding needs {needed} scenes, {activations} holds {recorded}")
        sets = list(feature_sets(file, block))
        progress.total = len(sets)
        for number, one in enumerate(sets):
            scenes = slice(one.repeat * n, (one.repeat + 1) * n)
            dataset = file[f"{_path(one.source, one.image)}/{one.layer}"]
            features = dataset[scenes, one.timestep - FIRST_TIMESTEP[one.source]]
            here = {variable: values[scenes] for variable, values in labels.items()}
            for row in _read_outs(features, here, block, seed, one.repeat):
                rows.append({**one._asdict(), **row})
            if progress.due():
                progress.show(number + 1)
    return pd.DataFrame(rows, columns=COLUMNS)


def decode_scenes(files: list[str], block: ReadOuts, repeats: int, seed: int) -> pd.DataFrame:
    """Read out every variable from the scenes themselves: the input map at t = 1 of any network.

    The scenes of all ``files``, in their order, are cut into ``repeats`` of ``block.scenes``.
    Returns the columns repeat, variable, accuracy and unconverged. It needs no training, so it
    tells whether scenes and read-out are the paper's (SPEC 6).
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
