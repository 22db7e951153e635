"""The files of the source images: their names, their checksums, and where they are. It imports nothing heavy.

A dataset of the pair is four idx files, plain or gzipped, or two .npz files, in a folder of its name. Those of MNIST
and Fashion-MNIST have known checksums; others have those that the configuration gives, if any.
"""

from collections.abc import Sequence
from pathlib import Path

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
SHA256 = {
    "mnist": dict(
        zip(
            FILES,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            strict=True,
        )
    ),
    "fashion": dict(
        zip(
            FILES,
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            strict=True,
        )
    ),
}
NPZ = ("train.npz", "test.npz")  # the other form, each with the arrays images and labels
SAMPLE = Path(__file__).resolve().parents[3] / "tests" / "sample"
TORCHVISION = {"mnist": "MNIST", "fashion": "FashionMNIST"}


def idx_files(dataset: str, folder: Path) -> dict[str, Path]:
    """Those of the four idx files that are in ``folder``, in our own layout or in torchvision's, by name."""
    places = [folder / dataset]
    if dataset in TORCHVISION:
        places.insert(0, folder / TORCHVISION[dataset] / "raw")
    paths = [place / (name + end) for place in places for end in (".gz", "") for name in FILES]
    # Of a file that is there several times, the last one counts.
    return {path.name.removesuffix(".gz"): path for path in paths if path.is_file()}


def own_files(dataset: str, folder: str | Path) -> list[Path]:
    """The user's own files of ``dataset`` in ``folder``: the idx files if all are there, or else the .npz files."""
    idx = idx_files(dataset, Path(folder))
    npz = [Path(folder) / dataset / name for name in NPZ]
    if len(idx) < len(FILES) and all(path.is_file() for path in npz):
        return npz
    return list(idx.values())


def checksums(dataset: str, lines: Sequence[str] = ()) -> dict[str, str]:
    """The SHA-256 of each file, uncompressed, by name: the known ones, and the ``lines`` of the configuration."""
    given = [line.split(maxsplit=1) for line in lines]
    return {**SHA256.get(dataset, {}), **{name: digest for digest, name in given}}


def watched_files(dataset: str, folder: str | Path, lines: Sequence[str]) -> list[str]:
    """The user's own files that have no checksum, so that only their dates say whether they were changed."""
    known = checksums(dataset, lines)
    files = own_files(dataset, folder)
    return [str(path) for path in files if path.name.removesuffix(".gz") not in known]
