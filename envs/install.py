"""Install the Python environment .venv from envs/requirements.lock. `make` runs this when needed.

    python envs/install.py [--torch INDEX] [--pip]
    python envs/install.py --link

Packages are installed with uv if there is one, else with pip. Every file is checked against the hashes
in the lock. On Linux PyTorch comes with CUDA, which is most of 7 GB. With --torch, the same version of
PyTorch comes from INDEX, a package index with builds for CPUs, without CUDA. The lock has no hashes for
these builds, so torch and torchvision are then not checked.

Snakemake starts Python by its path without quotes. If the path of this folder needs quotes, .venv is a
link to an environment in the user's cache.

In the environment `import recurrence` works in any folder, by a file recurrence.pth. --link only writes
that file, into the environment that runs this: for one that conda made.
"""

import argparse
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
TORCH = ("torch", "torchvision")
CUDA = re.compile(r"(torch|torchvision|triton|(nvidia|cuda)-.*)==")


def place(project: Path) -> Path:
    """The folder for the environment. Raises ``SystemExit`` if no path is possible."""
    if set("{}:") & set(str(project)):
        raise SystemExit(
            f"Snakemake cannot run in {project}: rename the folder without {{, }} and :"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    key = hashlib.sha256(os.fsencode(project)).hexdigest()[:8]
    for folder in (project / ".venv", cache / f"category-orthogonal-recurrence-{key}"):
        # An environment cannot lie in a path with the sign that separates paths.
        if shlex.quote(str(folder)) == str(folder) and os.pathsep not in str(folder):
            return folder
    raise SystemExit(
        f"Snakemake cannot use an environment in {project} or {cache}, because of spaces or signs in these "
        "paths: set XDG_CACHE_HOME to a folder with a plain path, or move the project to one"
    )


def without_cuda(lock: str) -> tuple[str, list[str]]:
    """The lock without PyTorch and CUDA, and its pins of PyTorch."""
    entries = re.split(r"\n(?=\S)", lock.strip())
    pins = [entry.split()[0] for entry in entries if entry.split("==")[0] in TORCH]
    return "\n".join(entry for entry in entries if not CUDA.match(entry)) + "\n", pins


def make_importable(project: Path, packages: Path, link: Path) -> None:
    """Name the folder of the package `recurrence` in a .pth file among the ``packages`` of an environment.

    The first line is relative to them by way of ``link``, the project's .venv: it holds in a project that was moved,
    and in each of several that link to one environment. Python ignores a line whose folder is not there.
    """
    scripts = project / "workflow" / "scripts"
    lines = [str(scripts)]
    if packages.resolve().is_relative_to(link.resolve()):
        seen = link / packages.resolve().relative_to(link.resolve())
        lines.insert(0, os.path.relpath(scripts, seen))
    (packages / "recurrence.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")


def install(project: Path, torch: str | None, uv: str | None) -> None:
    """Install everything into a new environment."""
    environment, link = place(project), project / ".venv"
    size = "2 GB" if torch else "7 GB on Linux, as PyTorch comes with CUDA (make help: TORCH=)"
    print(
        f"Installing the Python environment {environment}: this takes minutes, and up to {size}",
        flush=True,
    )
    if link.is_symlink():
        link.unlink()
    venv.create(environment, clear=True, with_pip=True, symlinks=True)
    if environment != link:
        shutil.rmtree(link, ignore_errors=True)
        link.symlink_to(environment)
    python = str(environment / "bin" / "python")
    os.environ["PIP_USER"] = (
        "0"  # in the user's settings it would forbid the installation into an environment
    )
    pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    lock = LOCK
    if torch:
        rest, pins = without_cuda(LOCK.read_text(encoding="utf-8"))
        # uv takes only these options before the indexes of the user's own settings.
        index = ["--index", torch, "--default-index", torch] if uv else ["--index-url", torch]
        subprocess.run([*pip, "--no-deps", *index, *pins], check=True)
        lock = environment / "without-cuda.lock"
        lock.write_text(rest, encoding="utf-8")
    subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(lock)], check=True)
    paths = {"base": str(environment), "platbase": str(environment)}
    make_importable(project, Path(sysconfig.get_path("purelib", "venv", paths)), link)


def main() -> None:
    """Install. If the installer fails, exit with its status."""
    parser = argparse.ArgumentParser(description="Make the Python environment .venv.")
    parser.add_argument("--torch", metavar="INDEX", help="an index with builds for CPUs")
    parser.add_argument("--pip", action="store_true", help="use pip even if there is uv")
    parser.add_argument(
        "--link", action="store_true", help="only make `import recurrence` work in this Python"
    )
    asked = parser.parse_args()
    if asked.link:
        packages = Path(sysconfig.get_path("purelib"))
        make_importable(Path.cwd(), packages, Path.cwd() / ".venv")
        return
    try:
        install(Path.cwd(), asked.torch, None if asked.pip else shutil.which("uv"))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
