"""A stand-in for `docker`, where there is no engine: it builds an image in a plain folder, and runs its entry point.

As `docker run --read-only` does, it takes away the right to write anywhere but in volumes, and runs as the user of the
image where the tests run as root.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.packages.dockerfile import Build, Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(folder: Path, argv: Sequence[str]) -> int:
    """Run one command of `docker`, whose images are kept in a folder, and return its exit code."""
    options = _parser().parse_args(argv)
    if options.action == "build":
        return _build(folder / options.tag, Path(options.context))
    return _run(folder / options.image, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="docker")
    actions = parser.add_subparsers(dest="action", required=True)
    build = actions.add_parser("build")
    build.add_argument("--tag", required=True)
    build.add_argument("context")
    run = actions.add_parser("run")
    run.add_argument("--rm", action="store_true", required=True)
    run.add_argument("--read-only", action="store_true", required=True)
    run.add_argument("--volume", action="append", default=[])
    run.add_argument("--env-file", type=Path, required=True)
    run.add_argument("--workdir", default="/")
    run.add_argument("image")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _build(folder: Path, context: Path) -> int:
    folder.mkdir(parents=True)
    image = Build(context, folder / "root").run()
    (folder / "image.json").write_text(json.dumps(dataclasses.asdict(image), default=str), encoding="utf-8")
    return 0


def read_image(folder: Path) -> Image:
    """Return the image in a folder."""
    stored = json.loads((folder / "image.json").read_text(encoding="utf-8"))
    return Image(**{**stored, "root": Path(stored["root"])})


def _run(folder: Path, options: argparse.Namespace) -> int:
    image = read_image(folder)
    _mount(image, options.volume)
    for path in _read_only_paths(image):
        path.chmod(path.stat().st_mode & ~0o222)
    variables = dict(line.split("=", 1) for line in options.env_file.read_text(encoding="utf-8").splitlines())
    command = shutil.which(image.entrypoint[0], path=image.variables["PATH"])
    assert command, f"{image.entrypoint[0]} is not on the PATH of the image."
    return subprocess.run(
        [*_as_user(image), command, *image.entrypoint[1:], *options.arguments],
        cwd=image.path(options.workdir),
        env=image.variables | variables,
        check=False,
    ).returncode


def _mount(image: Image, volumes: Sequence[str]) -> None:
    """Put the volumes that are folders of the host into the image; a named volume is the folder of the image."""
    for volume in volumes:
        source, target, *_ = volume.split(":")
        if source.startswith("/"):
            path = image.path(target)
            path.parent.chmod(0o755)
            path.unlink(missing_ok=True)
            path.symlink_to(source)
        else:
            assert target in image.volumes, f"{target} is no volume of the image."


def _read_only_paths(image: Image) -> Iterator[Path]:
    """Yield the files and folders of the image that are no volumes; links may lead outside."""
    volumes = [image.path(volume) for volume in image.volumes]
    for folder, _, names in os.walk(image.root):
        for path in (Path(folder), *(Path(folder) / name for name in names)):
            if not path.is_symlink() and not any(path.is_relative_to(volume) for volume in volumes):
                yield path


def _as_user(image: Image) -> list[str]:
    """Return the command that makes root the user of the image, without a name and without rights of root."""
    if os.geteuid() != 0:
        return []
    user, _, group = image.user.partition(":")
    return ["unshare", "--user", f"--map-user={user}", f"--map-group={group}", "--"]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
