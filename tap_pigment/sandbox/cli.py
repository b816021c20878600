"""The command `tap-pigment-sandbox`: serves the demo workspace, runs a command against it, or verifies a real one."""

import argparse
import contextlib
import io
import json
import os
import shlex
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
from tap_pigment.sandbox.files_report import file_stamps, files_report
from tap_pigment.sandbox.verify import CannotVerifyError, add_options, verify

if TYPE_CHECKING:
    from tap_pigment.sandbox.server import Server

NAME = "tap-pigment-sandbox"
# The packages of the extra `sandbox`.
EXTRA = {"h2", "hypercorn", "starlette", "trustme"}
MAX_PORT = 65535
# Exit codes of shells; the number of the signal is added to the last one.
NOT_EXECUTABLE, NOT_FOUND, SIGNALLED = 126, 127, 128
# These would contradict the variables that are set for COMMAND.
UNSET = ("TAP_PIGMENT_APPLICATION_IDS", "TAP_PIGMENT_METADATA_API_KEY")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options, command = _parse(sys.argv[1:] if argv is None else argv)
    if options.action == "verify":
        return _verify(options)
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(_start_server(options))
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] not in EXTRA:
                raise
            return _print_to_stderr(
                f"{error.name} is missing. Install tap-pigment with its extra `sandbox`; "
                "in a clone: pip install '.[sandbox]'"
            )
        except OSError as error:
            return _print_to_stderr(f"port {options.port}: {error.strerror}")
        return _run(server, command, Path(options.show)) if command else _serve(server)


def _parse(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the options, and for `run` the command: the arguments after the first `--`."""
    parser = argparse.ArgumentParser(
        prog=NAME,
        description="A small Pigment on this machine, with demo data, to try tap-pigment without a workspace.",
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser(
        "serve",
        parents=[_server_options()],
        help="start the sandbox, print how to connect to it, and keep it running until Ctrl-C",
        description="Start the sandbox, print how to connect to it, and keep it running until Ctrl-C.",
    )
    run = actions.add_parser(
        "run",
        parents=[_server_options()],
        help="start the sandbox, run a command that connects to it, and show what the command wrote",
        usage=f"{NAME} run [options] -- COMMAND ...",
        description="Start the sandbox and run COMMAND. The environment variables of tap-pigment (TAP_PIGMENT_API_URL, "
        "TAP_PIGMENT_API_KEY, TAP_PIGMENT_APPLICATION_ID) connect it to the sandbox. The exit code is that of COMMAND.",
    )
    run.add_argument(
        "--show",
        default="output",
        metavar="FOLDER",
        help="when COMMAND has succeeded, show the DuckDB and JSON Lines files in this folder (default: %(default)s)",
    )
    add_options(
        actions.add_parser(
            "verify",
            help="check which assumptions about Pigment's API hold in your workspace; the report holds no data",
            description="Send a few requests that change nothing to your workspace, and report which assumptions about "
            "Pigment's API hold there. The report holds no data, names, ids or keys, so you can publish it.",
        )
    )
    split = list(argv).index("--") if "--" in argv else len(argv)
    options = parser.parse_args(argv[:split])
    command = list(argv[split + 1 :])
    if options.action == "run" and not command:
        run.error("COMMAND is missing; write it after --")
    if options.action != "run" and command:
        parser.error(f"{options.action} takes no COMMAND; use run")
    return options, command


def _server_options() -> argparse.ArgumentParser:
    """Return a parser of the options that both actions have."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--port",
        type=_whole_number(0, MAX_PORT),
        default=0,
        metavar="PORT",
        help="port on 127.0.0.1; 0 takes any free port (default: %(default)s)",
    )
    parser.add_argument(
        "--rows",
        type=_whole_number(0),
        default=DEMO_ROWS,
        metavar="ROWS",
        help="rows of the largest list, GL transactions; employees and tables grow with it (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="SEED",
        help="another seed gives other rows in the same blocks, like the data of another day (default: %(default)s)",
    )
    parser.add_argument("--tls", action="store_true", help="serve HTTPS with HTTP/2; the certificate is made at start")
    parser.add_argument(
        "--quota",
        type=_whole_number(0),
        default=500,
        metavar="REQUESTS",
        help="requests answered in 5 minutes; those beyond it get status 429 (default: %(default)s)",
    )
    return parser


def _whole_number(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """Return a function that reads an option's value as a whole number of this range."""
    allowed = f"a whole number of at least {minimum}" if maximum is None else f"{minimum} to {maximum}"

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() else minimum - 1
        if number < minimum or (maximum is not None and number > maximum):
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: {allowed}")
        return number

    return read


def _print(text: str) -> int:
    """Print the text and return 0; if stdout is closed or full, print that and return 1."""
    if sys.stdout is None:
        return _print_to_stderr("stdout is closed; connect it to a terminal, a file or a pipe")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # For terminals that cannot print emoji.
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        # Python flushes stdout once more when it exits, and would print a second error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _print_to_stderr(f"stdout: {error.strerror}")
    return 0


def _print_to_stderr(message: str, exit_code: int = 1) -> int:
    """Print the message behind the command's name, and return the exit code."""
    sys.stderr.write(f"{NAME}: {message}\n")
    return exit_code


def _verify(options: argparse.Namespace) -> int:
    """Print the report about the user's workspace."""
    try:
        report = verify(options, os.environ, announce=_print_to_stderr)
    except CannotVerifyError as error:
        return _print_to_stderr(str(error))
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    return _print(report)


def _start_server(options: argparse.Namespace) -> AbstractContextManager["Server"]:
    from tap_pigment.sandbox.api import pigment_app  # noqa: PLC0415  # Needs the extra.
    from tap_pigment.sandbox.server import serving  # noqa: PLC0415  # Needs the extra.

    app = pigment_app(demo_workspace(options.rows, options.seed), quota=options.quota)
    return serving(app, port=options.port, tls=options.tls)


def _serve(server: "Server") -> int:
    stopped = threading.Event()
    if exit_code := _print(_how_to_connect(server)):
        return exit_code
    with _on_signals(lambda _signal: stopped.set()):
        while not stopped.wait(timeout=0.5):  # On Windows, a wait without timeout blocks signals.
            pass
    return 0


def _how_to_connect(server: "Server") -> str:
    """Return the address, keys and applications of the sandbox, a config to paste and commands to try."""
    values = {
        "Pigment sandbox": server.url,
        "Application FP&A": DEMO_APPLICATION_ID,
        "Application HR": DEMO_HR_APPLICATION_ID,
        "API key, both scopes": DEMO_KEY,
        "API key, Export scope": DEMO_EXPORT_KEY,
        "API key, Modeling Metadata scope": DEMO_METADATA_KEY,
    }
    width = max(map(len, values)) + 1
    config = {"api_url": server.url, "api_key": DEMO_KEY, "application_id": DEMO_APPLICATION_ID}
    applications = [DEMO_APPLICATION_ID, DEMO_HR_APPLICATION_ID]
    tap = _tap_command()
    commands = [
        *([f"export REQUESTS_CA_BUNDLE={shlex.quote(str(server.ca_file))}"] if server.ca_file else []),
        f"{tap} --config config.json --check",
        f"{tap} --config config.json --discover > catalog.json",
        f"{tap} --config config.json --catalog catalog.json > messages.jsonl",
    ]
    return "\n".join(
        [
            *(f"{f'{label}:':{width}} {value}" for label, value in values.items()),
            "",
            "1. Save this as config.json:",
            "",
            json.dumps(config, indent=2),
            "",
            f'For both applications, replace its last line by: "application_ids": {json.dumps(applications)}',
            "",
            "2. Try these commands in another terminal, in the folder of config.json:",
            "",
            *commands,
            "",
            "Press Ctrl-C to stop.",
        ]
    )


def _tap_command() -> str:
    """Return the tap's command as a shell takes it: beside this Python, relative to the working directory if below."""
    path = Path(sys.executable).with_name("tap-pigment")
    with contextlib.suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return shlex.quote(str(path))


def _run(server: "Server", command: Sequence[str], show: Path) -> int:
    """Run the command; if it succeeds, show the files in the folder."""
    before = file_stamps(show)
    try:
        process = subprocess.Popen(command, env=_environment(server))  # noqa: S603  # The user's own command.
    except FileNotFoundError:
        return _print_to_stderr(f"{command[0]}: command not found", NOT_FOUND)
    except OSError as error:
        return _print_to_stderr(f"{command[0]}: {error.strerror}", NOT_EXECUTABLE)

    def forward(number: int) -> None:
        # A terminal sends Ctrl-C to the command too, and some programs abort when they receive it twice.
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    with _on_signals(forward):
        exit_code = process.wait()
    if exit_code < 0:
        return SIGNALLED - exit_code
    if exit_code == 0 and (text := files_report(show, before)):
        _print(text)
    return exit_code


def _environment(server: "Server") -> Mapping[str, str]:
    """Return the environment for the command: that of this process, with the tap's variables set to the sandbox."""
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    # The commands installed beside this Python are found last: `pipx run` does not put them on the PATH.
    folders = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    environment |= {
        "PATH": os.pathsep.join(filter(None, folders)),
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
