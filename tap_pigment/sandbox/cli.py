"""The command `tap-pigment-sandbox`: serve the demo, or run a command against it."""

import argparse
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import requests.utils

from tap_pigment.sandbox.demo import (
    DEMO_APPLICATION_ID,
    DEMO_EXPORT_KEY,
    DEMO_KEY,
    DEMO_METADATA_KEY,
    DEMO_ROWS,
    demo_workspace,
)
from tap_pigment.sandbox.report import report, stamps

if TYPE_CHECKING:
    from tap_pigment.sandbox.server import Server

NAME = "tap-pigment-sandbox"
EXTRA = {"h2", "hypercorn", "starlette", "trustme"}
# What shells answer.
NOT_EXECUTABLE, NOT_FOUND, SIGNALLED = 126, 127, 128
# These would contradict what is set for COMMAND.
UNSET = ("TAP_PIGMENT_APPLICATION_IDS", "TAP_PIGMENT_METADATA_API_KEY")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options, command = _parsed(sys.argv[1:] if argv is None else argv)
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(_serving(options))
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] not in EXTRA:
                raise
            return _failed(f'{error.name} is missing: pip install "tap-pigment[sandbox]"')
        except OSError as error:
            return _failed(f"port {options.port}: {error.strerror}")
        return _run(server, command, Path(options.show)) if command else _serve(server)


def _parsed(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and for `run` the command, which is what follows the first `--`."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--port", type=int, default=0, help="port of 127.0.0.1 (default: a free one)")
    common.add_argument("--rows", type=int, default=DEMO_ROWS, help="GL transactions (default: %(default)s)")
    common.add_argument("--seed", type=int, default=1, help="of the rows (default: %(default)s)")
    common.add_argument("--tls", action="store_true", help="https, with HTTP/2")
    common.add_argument("--quota", type=int, default=500, help="requests in 5 minutes (default: %(default)s)")
    parser = argparse.ArgumentParser(prog=NAME, description="A small Pigment on localhost, with demo data.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("serve", parents=[common], help="serve until Ctrl-C")
    run = kinds.add_parser(
        "run",
        parents=[common],
        help="serve while a command runs",
        usage=f"{NAME} run [options] -- COMMAND ...",
        description="Run COMMAND with the tap's environment variables set, and exit with its exit code.",
    )
    run.add_argument("--show", default="output", help="folder whose new files are reported (default: %(default)s)")
    split = list(argv).index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:split])
    command = list(argv[split + 1 :])
    if options.kind == "run" and not command:
        run.error("write the COMMAND after --")
    if options.kind == "serve" and command:
        parser.error("serve takes no COMMAND; run does")
    return options, command


def _say(text: str) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # A terminal without emoji is no reason to fail.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _failed(message: str, code: int = 1) -> int:
    sys.stderr.write(f"{NAME}: {message}\n")
    return code


def _serving(options: argparse.Namespace) -> AbstractContextManager["Server"]:
    from tap_pigment.sandbox.app import pigment_app  # noqa: PLC0415  # Needs the extra.
    from tap_pigment.sandbox.server import serving  # noqa: PLC0415  # Needs the extra.

    app = pigment_app(demo_workspace(options.rows, options.seed), quota=options.quota)
    return serving(app, port=options.port, tls=options.tls)


def _serve(server: "Server") -> int:
    stopped = threading.Event()
    config = {"api_url": server.url, "api_key": DEMO_KEY, "application_id": DEMO_APPLICATION_ID}
    certificate = f"\nCertificate:     {server.ca_file} (set SSL_CERT_FILE to it)" if server.ca_file else ""
    _say(f"""\
Pigment sandbox: {server.url}{certificate}
Application:     {DEMO_APPLICATION_ID}
Key, all rights: {DEMO_KEY}
Export only:     {DEMO_EXPORT_KEY}
Metadata only:   {DEMO_METADATA_KEY}
Configuration:   {json.dumps(config)}
Ctrl-C stops it.""")
    with _on_signals(lambda _signal: stopped.set()):
        while not stopped.wait(timeout=0.5):  # Windows delivers no signal to a wait without end.
            pass
    return 0


def _run(server: "Server", command: Sequence[str], show: Path) -> int:
    """Run the command, and report what it has written if it succeeds."""
    before = stamps(show)
    try:
        child = subprocess.Popen(command, env=_environment(server))  # noqa: S603  # The user's own command.
    except FileNotFoundError:
        return _failed(f"{command[0]}: command not found", NOT_FOUND)
    except OSError as error:
        return _failed(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE)

    def forward(number: int) -> None:
        # A terminal sends Ctrl-C to the child as well; twice would mean "at once" to some programs.
        if number != signal.SIGINT or not sys.stdin.isatty():
            child.send_signal(number)

    with _on_signals(forward):
        code = child.wait()
    if code < 0:
        return SIGNALLED - code
    if code == 0 and (found := report(show, before)):
        _say(found)
    return code


def _environment(server: "Server") -> Mapping[str, str]:
    """Return the environment for the command: ours, with the tap's variables."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment |= {
        "TAP_PIGMENT_API_URL": server.url,
        "TAP_PIGMENT_API_KEY": DEMO_KEY,
        "TAP_PIGMENT_APPLICATION_ID": DEMO_APPLICATION_ID,
    }
    if server.ca_file:
        # With the authorities trusted before, as the command may well talk to others too.
        trusted = Path(os.environ.get("SSL_CERT_FILE", requests.utils.DEFAULT_CA_BUNDLE_PATH))
        bundle = server.ca_file.with_name("bundle.pem")
        bundle.write_bytes(trusted.read_bytes() + b"\n" + server.ca_file.read_bytes())
        environment |= {"SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)}
    return environment


@contextlib.contextmanager
def _on_signals(act: Callable[[int], object]) -> Iterator[None]:
    """Call this on SIGINT and SIGTERM, until the block ends."""

    def called(number: int, _frame: FrameType | None) -> None:
        act(number)

    earlier = {number: signal.signal(number, called) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
