"""The command `tap-pigment-sandbox`: called in this process, or in its own process to test signals."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tap_pigment.sandbox.cli import main
from tap_pigment.sandbox.demo import (
    DEMO_APPLICATION_ID,
    DEMO_EXPORT_KEY,
    DEMO_HR_APPLICATION_ID,
    DEMO_KEY,
    DEMO_METADATA_KEY,
)

SCRIPT = str(Path(sys.executable).with_name("tap-pigment-sandbox"))
# Sends GET requests with the settings in the environment, as the tap does.
SEND_REQUESTS = """
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
def empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in an empty folder."""
    monkeypatch.chdir(tmp_path)


def python(code: str, *arguments: str) -> list[str]:
    """Return a command that runs Python code."""
    return [sys.executable, "-c", code, *arguments]


def test_run_connects_the_command_to_the_demo(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", *python(SEND_REQUESTS, "/v1/applications")])

    assert code == 0
    assert [application["name"] for application in json.loads(capfd.readouterr().out)] == ["FP&A", "HR"]


def test_run_restores_environment_and_signal_handlers() -> None:
    before = dict(os.environ), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    main(["run", "--tls", "--", *python("")])

    assert (dict(os.environ), signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_run_with_tls_makes_the_command_trust_the_demo(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--tls", "--", *python(SEND_REQUESTS, "/v1/blocks?applicationId={}")])

    assert code == 0
    assert [block["name"] for block in json.loads(capfd.readouterr().out)][:2] == ["Countries", "Currencies"]


def test_run_sets_certificate_variables_to_a_bundle_of_all_authorities(capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "import os; names = 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE'; files = [os.environ[name] for name in names];"
        "print(files[0] == files[1], open(files[0]).read().count('BEGIN CERTIFICATE') > 100)"
    )

    main(["run", "--tls", "--", *python(code)])

    assert capfd.readouterr().out == "True True\n"


def test_run_overrides_variables_and_removes_contradicting_ones(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("API_KEY", "API_URL", "APPLICATION_ID", "APPLICATION_IDS", "METADATA_API_KEY", "MAX_RETRIES"):
        monkeypatch.setenv(f"TAP_PIGMENT_{name}", "original")
    code = "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('TAP_P')}))"

    main(["run", "--", *python(code)])

    variables = json.loads(capfd.readouterr().out)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api", variables.pop("TAP_PIGMENT_API_URL"))
    assert variables == {
        "TAP_PIGMENT_API_KEY": DEMO_KEY,
        "TAP_PIGMENT_APPLICATION_ID": DEMO_APPLICATION_ID,
        "TAP_PIGMENT_MAX_RETRIES": "original",
    }


def test_run_accepts_quota_port_rows_and_seed(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free_socket:
        port = free_socket.getsockname()[1]
    paths = ["/v1/applications"] * 3

    main(
        ["run", "--quota", "2", "--port", str(port), "--rows", "7", "--seed", "2", "--", *python(SEND_REQUESTS, *paths)]
    )

    assert capfd.readouterr().out.splitlines()[2] == "429"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
    ],
)
def test_run_returns_the_exit_code_of_the_command(code: str, expected: int) -> None:
    assert main(["run", "--", *python(code)]) == expected


def test_run_of_an_unknown_command_returns_127(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", "no-such-command"])

    assert code == 127
    assert capsys.readouterr().err == "tap-pigment-sandbox: no-such-command: command not found\n"


def test_run_finds_a_command_beside_its_python_that_is_not_on_the_path(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", os.defpath)

    code = main(["run", "--", "tap-pigment", "--version"])

    assert code == 0
    assert capfd.readouterr().out.startswith("tap-pigment v")


def test_run_of_a_command_without_permission_returns_126(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", str(tmp_path)])

    assert code == 126
    assert capsys.readouterr().err == f"tap-pigment-sandbox: {tmp_path}: Permission denied\n"


def test_a_port_in_use_is_named_in_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as used_socket:
        port = used_socket.getsockname()[1]
        code = main(["run", "--port", str(port), "--", *python("")])

    assert code == 1
    assert capsys.readouterr().err.startswith(f"tap-pigment-sandbox: port {port}: Address already in use")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "COMMAND is missing; write it after --"),
        (["run", "--rows", "10", "--"], "COMMAND is missing; write it after --"),
        (["run", "tap-pigment"], "unrecognized arguments: tap-pigment"),
        (["serve", "--", "tap-pigment"], "serve takes no COMMAND; use run"),
        ([], "the following arguments are required: action"),
        (["serve", "--port", "65536"], "argument --port: '65536' is not allowed; allowed: 0 to 65535"),
        (["serve", "--rows", "-5"], "argument --rows: '-5' is not allowed; allowed: a whole number of at least 0"),
        (["serve", "--quota", "many"], "argument --quota: 'many' is not allowed; allowed: a whole number"),
    ],
)
def test_an_invalid_command_line_is_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)

    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_arguments_after_the_dashes_are_passed_to_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--", *python("import sys; print(sys.argv[1:])", "--port", "--", "--tls")])

    assert capfd.readouterr().out == "['--port', '--', '--tls']\n"


WRITE = """
import duckdb, pathlib, sys
pathlib.Path(sys.argv[1]).mkdir()
with duckdb.connect(sys.argv[1] + "/warehouse.duckdb") as connection:
    connection.execute("CREATE TABLE countries AS SELECT 'Côte d''Ivoire 🎉' AS name")
print("Output of the command.")
raise SystemExit(int(sys.argv[2]))
"""


def test_run_reports_the_files_that_the_command_wrote(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--", *python(WRITE, "output", "0")])

    assert capfd.readouterr().out.splitlines() == [
        "Output of the command.",
        "",
        "What landed where:",
        "output/warehouse.duckdb",
        "  main.countries            1 rows",
        "",
        "  main.countries, first rows:",
        "    name",
        "    Côte d'Ivoire 🎉",
    ]


def test_run_reports_the_files_in_the_folder_of_show(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--show", "other_folder", "--", *python(WRITE, "other_folder", "0")])

    assert "other_folder/warehouse.duckdb" in capfd.readouterr().out


def test_run_reports_the_files_again_when_the_command_left_them_unchanged(capfd: pytest.CaptureFixture[str]) -> None:
    main(["run", "--", *python(WRITE, "output", "0")])
    capfd.readouterr()

    main(["run", "--", *python("")])

    lines = capfd.readouterr().out.splitlines()
    assert lines[1:4] == [
        "What landed where:",
        "output/warehouse.duckdb (unchanged)",
        "  main.countries            1 rows",
    ]


@pytest.mark.parametrize(("folder", "code"), [("other_folder", "0"), ("output", "3")])
def test_run_reports_nothing_without_files_or_after_a_failure(
    folder: str, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    main(["run", "--", *python(WRITE, folder, code)])

    assert capfd.readouterr().out == "Output of the command.\n"


def test_run_replaces_emoji_that_the_terminal_cannot_print() -> None:
    completed = subprocess.run(
        [SCRIPT, "run", "--", *python(WRITE, "output", "0")],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert completed.stdout.splitlines()[-1] == "    C?te d'Ivoire ?"


def test_run_accepts_a_shell_pipeline(capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--", "sh", "-c", "cat | tr a-z A-Z; echo $TAP_PIGMENT_API_URL | grep -c 127.0.0.1"])

    assert (code, capfd.readouterr().out) == (0, "1\n")


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command in its own process, and kill it at the end of the `with` block."""
    with subprocess.Popen(
        [SCRIPT, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: subprocess.Popen[str], last: str) -> list[str]:
    """Return the lines that the process prints, up to and including this one."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if lines[-1] == last:
            break
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_prints_how_to_connect_and_stops_on_a_signal(number: signal.Signals) -> None:
    with started("serve", "--rows", "5") as process:
        lines = lines_until(process, "Press Ctrl-C to stop.")
        config = json.loads("".join(lines[lines.index("{") : lines.index("}") + 1]))
        response = httpx2.get(
            f"{config['api_url']}/v1/applications", headers={"Authorization": f"Bearer {config['api_key']}"}
        )
        process.send_signal(number)
        _, errors = process.communicate(timeout=5)

    url = config["api_url"]
    assert config == {"api_url": url, "api_key": DEMO_KEY, "application_id": DEMO_APPLICATION_ID}
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/api", url)
    tap = Path(SCRIPT).with_name("tap-pigment")
    both = f'"application_ids": ["{DEMO_APPLICATION_ID}", "{DEMO_HR_APPLICATION_ID}"]'
    assert lines == [
        f"Pigment sandbox:                  {url}",
        f"Application FP&A:                 {DEMO_APPLICATION_ID}",
        f"Application HR:                   {DEMO_HR_APPLICATION_ID}",
        f"API key, both scopes:             {DEMO_KEY}",
        f"API key, Export scope:            {DEMO_EXPORT_KEY}",
        f"API key, Modeling Metadata scope: {DEMO_METADATA_KEY}",
        "",
        "1. Save this as config.json:",
        "",
        "{",
        f'  "api_url": "{url}",',
        f'  "api_key": "{DEMO_KEY}",',
        f'  "application_id": "{DEMO_APPLICATION_ID}"',
        "}",
        "",
        f"For both applications, replace its last line by: {both}",
        "",
        "2. Try these commands in another terminal, in the folder of config.json:",
        "",
        f"{tap} --config config.json --check",
        f"{tap} --config config.json --discover > catalog.json",
        f"{tap} --config config.json --catalog catalog.json > messages.jsonl",
        "",
        "Press Ctrl-C to stop.",
    ]
    assert response.status_code == 200
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


@pytest.mark.parametrize(
    ("redirection", "message"),
    [
        (">&-", "stdout is closed; connect it to a terminal, a file or a pipe"),
        pytest.param(
            ">/dev/full",
            "stdout: No space left on device",
            marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full"),
        ),
    ],
)
def test_serve_without_a_usable_stdout_ends_with_one_line(redirection: str, message: str) -> None:
    command = f"{shlex.quote(SCRIPT)} serve --rows 5 {redirection}"

    completed = subprocess.run(["/bin/sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)

    assert completed.returncode == 1
    assert completed.stderr == f"tap-pigment-sandbox: {message}\n"


def test_config_and_commands_of_serve_work_as_printed(tmp_path: Path) -> None:
    with started("serve", "--rows", "5") as process:
        lines = lines_until(process, "Press Ctrl-C to stop.")
        (tmp_path / "config.json").write_text("\n".join(lines[lines.index("{") : lines.index("}") + 1]), "utf-8")
        commands = [line for line in lines if " --config config.json " in line]

        exit_codes = [subprocess.run(["/bin/sh", "-c", line], check=False).returncode for line in commands]

    assert exit_codes == [0, 0, 0]
    messages = (tmp_path / "messages.jsonl").read_text("utf-8").splitlines()
    assert sum(json.loads(line).get("stream") == "countries" for line in messages) > 1


def test_both_applications_are_extracted_with_the_line_of_serve(tmp_path: Path) -> None:
    with started("serve", "--rows", "5") as process:
        lines = lines_until(process, "Press Ctrl-C to stop.")
        [hint] = [line for line in lines if line.startswith("For both applications")]
        config = lines[lines.index("{") : lines.index("}")]
        config[-1] = hint.partition(": ")[2]
        (tmp_path / "config.json").write_text("\n".join([*config, "}"]), "utf-8")

        discovered = subprocess.run(
            [Path(SCRIPT).with_name("tap-pigment"), "--config", "config.json", "--discover"],
            capture_output=True,
            check=True,
        )

    streams = {entry["stream"] for entry in json.loads(discovered.stdout)["streams"]}
    assert {stream.partition("_")[0] for stream in streams} == {"fp", "hr"}


def test_the_tap_is_printed_relative_to_the_folder_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(sys.prefix).parent)

    with started("serve", "--rows", "5") as process:
        lines = lines_until(process, "Press Ctrl-C to stop.")

    relative = Path(SCRIPT).with_name("tap-pigment").relative_to(Path(sys.prefix).parent)
    assert f"{relative} --config config.json --check" in lines


def test_the_check_over_tls_works_as_printed(tmp_path: Path) -> None:
    with started("serve", "--tls", "--rows", "5") as process:
        lines = lines_until(process, "Press Ctrl-C to stop.")
        (tmp_path / "config.json").write_text("\n".join(lines[lines.index("{") : lines.index("}") + 1]), "utf-8")
        [trust] = [line for line in lines if line.startswith("export REQUESTS_CA_BUNDLE=")]
        [check] = [line for line in lines if line.endswith("--check")]

        checked = subprocess.run(["/bin/sh", "-c", f"{trust}\n{check}"], capture_output=True, text=True, check=False)

    assert lines[0].startswith("Pigment sandbox:                  https://localhost:")
    assert checked.returncode == 0, checked.stderr + checked.stdout


@pytest.mark.parametrize("missing", ["hypercorn", "starlette", "trustme"])
def test_without_the_extra_the_error_names_the_install_command(missing: str) -> None:
    hide_package = f"import sys; sys.modules[{missing!r}] = None"
    code = "from tap_pigment.sandbox.cli import main; sys.exit(main(['serve']))"

    completed = subprocess.run(python(f"{hide_package}; {code}"), capture_output=True, text=True, check=False)

    assert completed.returncode == 1
    assert re.fullmatch(
        rf"tap-pigment-sandbox: {missing}\S* is missing\. Install tap-pigment with its extra `sandbox`; "
        r"in a clone: pip install '\.\[sandbox\]'\n",
        completed.stderr,
    )
