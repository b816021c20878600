"""The command `tap-pigment-sandbox`: serves the demo workspace, or runs a command against it."""

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
    DEMO_HR_APPLICATION_ID,
    DEMO_KEY,
    DEMO_METADATA_KEY,
    DEMO_ROWS,
    demo_workspace,
)
from tap_pigment.sandbox.report import file_stamps, written_files_report

if TYPE_CHECKING:
    from tap_pigment.sandbox.server import Server

NAME = "tap-pigment-sandbox"
# The packages of the extra `sandbox`.
EXTRA = {"h2", "hypercorn", "starlette", "trustme"}
# Exit codes of shells; the number of the signal is added to the last one.
NOT_EXECUTABLE, NOT_FOUND, SIGNALLED = 126, 127, 128
# These would contradict the variables that are set for COMMAND.
UNSET = ("TAP_PIGMENT_APPLICATION_IDS", "TAP_PIGMENT_METADATA_API_KEY")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options, command = _parse(sys.argv[1:] if argv is None else argv)
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(_start_server(options))
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] not in EXTRA:
                raise
            return _print_error(f'{error.name} is missing: pip install "tap-pigment[sandbox]"')
        except OSError as error:
            return _print_error(f"port {options.port}: {error.strerror}")
        return _run(server, command, Path(options.show)) if command else _serve(server)


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and for `run` the command: the arguments after the first `--`."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free port)")
    common.add_argument("--rows", type=int, default=DEMO_ROWS, help="number of GL transactions (default: %(default)s)")
    common.add_argument("--seed", type=int, default=1, help="seed of the random rows (default: %(default)s)")
    common.add_argument("--tls", action="store_true", help="serve HTTPS, with HTTP/2")
    common.add_argument("--quota", type=int, default=500, help="requests allowed in 5 minutes (default: %(default)s)")
    parser = argparse.ArgumentParser(prog=NAME, description="A small Pigment on localhost, with demo data.")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("serve", parents=[common], help="serve the demo until Ctrl-C")
    run = actions.add_parser(
        "run",
        parents=[common],
        help="serve the demo while a command runs",
        usage=f"{NAME} run [options] -- COMMAND ...",
        description="Run COMMAND with the tap's environment variables set to the sandbox, and exit with its exit code.",
    )
    run.add_argument(
        "--show", default="output", help="report the files that COMMAND writes to this folder (default: %(default)s)"
    )
    split = list(argv).index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:split])
    command = list(argv[split + 1 :])
    if options.action == "run" and not command:
        run.error("COMMAND is missing; write it after --")
    if options.action == "serve" and command:
        parser.error("serve takes no COMMAND; use run")
    return options, command


def _print(text: str) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # For terminals that cannot print emoji.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _print_error(message: str, exit_code: int = 1) -> int:
    """Print the message, and return the exit code."""
    sys.stderr.write(f"{NAME}: {message}\n")
    return exit_code


def _start_server(options: argparse.Namespace) -> AbstractContextManager["Server"]:
    from tap_pigment.sandbox.api import pigment_app  # noqa: PLC0415  # Needs the extra.
    from tap_pigment.sandbox.server import serving  # noqa: PLC0415  # Needs the extra.

    app = pigment_app(demo_workspace(options.rows, options.seed), quota=options.quota)
    return serving(app, port=options.port, tls=options.tls)


def _serve(server: "Server") -> int:
    stopped = threading.Event()
    config = {"api_url": server.url, "api_key": DEMO_KEY, "application_id": DEMO_APPLICATION_ID}
    lines = {
        "Pigment sandbox": server.url,
        "Certificate": server.ca_file and f"{server.ca_file} (set REQUESTS_CA_BUNDLE to this path)",
        "Application FP&A": DEMO_APPLICATION_ID,
        "Application HR": DEMO_HR_APPLICATION_ID,
        "API key, both scopes": DEMO_KEY,
        "API key, Export scope": DEMO_EXPORT_KEY,
        "API key, Modeling Metadata scope": DEMO_METADATA_KEY,
    }
    width = max(map(len, lines)) + 1
    connection = "\n".join(f"{f'{label}:':{width}} {value}" for label, value in lines.items() if value)
    _print(f"""\
{connection}

Paste this into config.json, then run: tap-pigment --config config.json
{json.dumps(config, indent=2)}

Press Ctrl-C to stop.""")
    with _on_signals(lambda _signal: stopped.set()):
        while not stopped.wait(timeout=0.5):  # On Windows, a wait without timeout blocks signals.
            pass
    return 0


def _run(server: "Server", command: Sequence[str], show: Path) -> int:
    """Run the command; if it succeeds, report the files that it wrote."""
    before = file_stamps(show)
    try:
        process = subprocess.Popen(command, env=_environment(server))  # noqa: S603  # The user's own command.
    except FileNotFoundError:
        return _print_error(f"{command[0]}: command not found", NOT_FOUND)
    except OSError as error:
        return _print_error(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE)

    def forward(number: int) -> None:
        # A terminal sends Ctrl-C to the command too, and some programs abort when they receive it twice.
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    with _on_signals(forward):
        exit_code = process.wait()
    if exit_code < 0:
        return SIGNALLED - exit_code
    if exit_code == 0 and (text := written_files_report(show, before)):
        _print(text)
    return exit_code


def _environment(server: "Server") -> Mapping[str, str]:
    """Return the environment for the command: that of this process, with the tap's variables set to the sandbox."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment |= {
        "TAP_PIGMENT_API_URL": server.url,
        "TAP_PIGMENT_API_KEY": DEMO_KEY,
        "TAP_PIGMENT_APPLICATION_ID": DEMO_APPLICATION_ID,
    }
    if server.ca_file:
        # The bundle also contains the usual authorities, because the command may connect to other servers.
        trusted = Path(os.environ.get("SSL_CERT_FILE", requests.utils.DEFAULT_CA_BUNDLE_PATH))
        bundle = server.ca_file.with_name("bundle.pem")
        bundle.write_bytes(trusted.read_bytes() + b"\n" + server.ca_file.read_bytes())
        environment |= {"SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(bundle)}
    return environment


@contextlib.contextmanager
def _on_signals(call: Callable[[int], object]) -> Iterator[None]:
    """Call the function with the signal's number on SIGINT and SIGTERM, until the `with` block ends."""

    def handle(number: int, _frame: FrameType | None) -> None:
        call(number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
