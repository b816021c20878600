"""The command `tap-pigment-sandbox`: in this process, and as one of its own where signals are at stake."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tap_pigment.sandbox.cli import main
from tap_pigment.sandbox.demo import DEMO_APPLICATION_ID, DEMO_KEY

SCRIPT = str(Path(sys.executable).with_name("tap-pigment-sandbox"))
# Asks for a list of what the environment names, as the tap would.
ASK = """
import os, ssl, sys, urllib.error, urllib.request
for path in sys.argv[1:]:
    request = urllib.request.Request(
        os.environ["TAP_PIGMENT_API_URL"] + path.format(os.environ["TAP_PIGMENT_APPLICATION_ID"]),
        headers={"Authorization": "Bearer " + os.environ["TAP_PIGMENT_API_KEY"]},
    )
    trust = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    try:
        print(urllib.request.urlopen(request, context=trust).read().decode(), flush=True)
    except urllib.error.HTTPError as error:
        with error:
            print(error.status, flush=True)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def test_run_lets_the_command_reach_the_demo(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", *python(ASK, "/v1/applications")])

    assert code == 0
    assert [each["name"] for each in json.loads(capfd.readouterr().out)] == ["FP&A", "HR"]


def test_run_leaves_environment_and_signals_as_they_were() -> None:
    before = dict(os.environ), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    main(["run", "--tls", "--", *python("")])

    assert (dict(os.environ), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_run_with_tls_lets_the_command_trust_the_demo(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--tls", "--", *python(ASK, "/v1/blocks?applicationId={}")])

    assert code == 0
    assert [each["name"] for each in json.loads(capfd.readouterr().out)][:2] == ["Countries", "Currencies"]


def test_run_sets_both_certificate_variables_to_all_authorities(capfd: pytest.CaptureFixture[str]) -> None:
    show = (
        "import os; names = 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE'; files = [os.environ[name] for name in names];"
        "print(files[0] == files[1], open(files[0]).read().count('BEGIN CERTIFICATE') > 100)"
    )

    main(["run", "--tls", "--", *python(show)])

    assert capfd.readouterr().out == "True True\n"


def test_run_overrides_the_variables_and_drops_those_that_contradict(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("API_KEY", "API_URL", "APPLICATION_ID", "APPLICATION_IDS", "METADATA_API_KEY", "MAX_RETRIES"):
        monkeypatch.setenv(f"TAP_PIGMENT_{name}", "mine")
    show = "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('TAP_P')}))"

    main(["run", "--", *python(show)])

    variables = json.loads(capfd.readouterr().out)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api", variables.pop("TAP_PIGMENT_API_URL"))
    assert variables == {
        "TAP_PIGMENT_API_KEY": DEMO_KEY,
        "TAP_PIGMENT_APPLICATION_ID": DEMO_APPLICATION_ID,
        "TAP_PIGMENT_MAX_RETRIES": "mine",
    }


def test_quota_port_rows_and_seed_are_options(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    paths = ["/v1/applications"] * 3

    main(["run", "--quota", "2", "--port", str(port), "--rows", "7", "--seed", "2", "--", *python(ASK, *paths)])

    assert capfd.readouterr().out.splitlines()[2] == "429"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
    ],
)
def test_run_passes_on_the_exit_code(code: str, expected: int) -> None:
    assert main(["run", "--", *python(code)]) == expected


def test_a_command_that_is_not_there_is_127(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", "no-such-command"])

    assert code == 127
    assert capsys.readouterr().err == "tap-pigment-sandbox: no-such-command: command not found\n"


def test_a_command_that_may_not_be_run_is_126(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", str(tmp_path)])

    assert code == 126
    assert capsys.readouterr().err == f"tap-pigment-sandbox: {tmp_path}: Permission denied\n"


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main(["run", "--port", str(port), "--", *python("")])

    assert code == 1
    assert capsys.readouterr().err.startswith(f"tap-pigment-sandbox: port {port}: Address already in use")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "write the COMMAND after --"),
        (["run", "--rows", "10", "--"], "write the COMMAND after --"),
        (["run", "tap-pigment"], "unrecognized arguments: tap-pigment"),
        (["serve", "--", "tap-pigment"], "serve takes no COMMAND; run does"),
        ([], "the following arguments are required: kind"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_options_after_the_dashes_belong_to_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--", *python("import sys; print(sys.argv[1:])", "--port", "--", "--tls")])

    assert capfd.readouterr().out == "['--port', '--', '--tls']\n"


WRITE = """
import duckdb, pathlib, sys
pathlib.Path(sys.argv[1]).mkdir()
with duckdb.connect(sys.argv[1] + "/warehouse.duckdb") as connection:
    connection.execute("CREATE TABLE countries AS SELECT 'Côte d''Ivoire 🎉' AS name")
print("The command's own words.")
raise SystemExit(int(sys.argv[2]))
"""


def test_run_shows_what_a_command_wrote(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--", *python(WRITE, "output", "0")])

    assert capfd.readouterr().out.splitlines() == [
        "The command's own words.",
        "",
        "What landed where:",
        "output/warehouse.duckdb",
        "  main.countries            1 rows",
        "",
        "  main.countries, the first rows:",
        "    name",
        "    Côte d'Ivoire 🎉",
    ]


def test_run_shows_another_folder_if_asked_to(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--show", "elsewhere", "--", *python(WRITE, "elsewhere", "0")])

    assert "elsewhere/warehouse.duckdb" in capfd.readouterr().out


@pytest.mark.parametrize(("folder", "code"), [("elsewhere", "0"), ("output", "3")])
def test_run_shows_nothing_if_nothing_was_written_or_the_command_failed(
    folder: str, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["run", "--", *python(WRITE, folder, code)])

    assert capfd.readouterr().out == "The command's own words.\n"


def test_a_terminal_without_emoji_is_no_reason_to_fail() -> None:
    done = subprocess.run(
        [SCRIPT, "run", "--", *python(WRITE, "output", "0")],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "    C?te d'Ivoire ?"


def test_the_command_may_be_a_pipe_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", "sh", "-c", "cat | tr a-z A-Z; echo $TAP_PIGMENT_API_URL | grep -c 127.0.0.1"])

    assert (code, capfd.readouterr().out) == (0, "1\n")


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command as a process of its own, and end it."""
    with subprocess.Popen(
        [SCRIPT, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], last: str) -> list[str]:
    """Return what the process prints until this line."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1] == last:
            break
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_how_to_reach_it_and_ends_cleanly(number: signal.Signals) -> None:
    with started("serve", "--rows", "5") as process:
        lines = lines_until(process, "Ctrl-C stops it.")
        config = json.loads(next(line for line in lines if line.startswith("Configuration:")).partition(":")[2])
        answer = httpx2.get(
            f"{config['api_url']}/v1/applications", headers={"Authorization": f"Bearer {config['api_key']}"}
        )
        process.send_signal(number)
        _, errors = process.communicate(timeout=5)

    assert config == {
        "api_url": lines[0].removeprefix("Pigment sandbox: "),
        "api_key": DEMO_KEY,
        "application_id": DEMO_APPLICATION_ID,
    }
    assert answer.status_code == 200
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_forwards_signals_to_the_command(number: signal.Signals) -> None:
    code = (
        "import signal, sys, time\n"
        "for number in (signal.SIGINT, signal.SIGTERM):\n"
        "    signal.signal(number, lambda number, frame: sys.exit(number + 40))\n"
        "print('ready', flush=True)\n"
        "time.sleep(10)\n"
    )

    with started("run", "--", *python(code)) as process:
        lines_until(process, "ready")
        process.send_signal(number)
        _, errors = process.communicate(timeout=5)

    assert (process.returncode, errors) == (number + 40, "")


def test_serve_with_tls_names_the_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    ended = threading.Event()

    def stop_it() -> None:
        while not ended.wait(0.1):
            os.kill(os.getpid(), signal.SIGTERM)

    earlier = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    stopper = threading.Thread(target=stop_it)
    stopper.start()
    try:
        code = main(["serve", "--tls"])
    finally:
        ended.set()
        stopper.join()
        signal.signal(signal.SIGTERM, earlier)

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert re.fullmatch(r"Pigment sandbox: https://localhost:\d+/api", lines[0])
    assert re.fullmatch(r"Certificate:     .*/ca\.pem \(set SSL_CERT_FILE to it\)", lines[1])


@pytest.mark.parametrize("missing", ["hypercorn", "starlette", "trustme"])
def test_without_the_extra_it_says_how_to_install_it(missing: str) -> None:
    hidden = f"import sys; sys.modules[{missing!r}] = None"
    code = "from tap_pigment.sandbox.cli import main; sys.exit(main(['serve']))"

    done = subprocess.run(python(f"{hidden}; {code}"), capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert re.fullmatch(
        rf'tap-pigment-sandbox: {missing}\S* is missing: pip install "tap-pigment\[sandbox\]"\n', done.stderr
    )
