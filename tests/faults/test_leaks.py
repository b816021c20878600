"""API keys and passwords: in no output, log or file, under all faults at once, and never sent to another host."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_pigment.errors import PigmentError
from tests.faults.all_faults import AllFaultsServer
from tests.faults.secret_search import SecretSearch
from tests.faults.server import Transport
from tests.support.pigment import API_KEY, APPLICATION_ID, Answer
from tests.support.wire import listening, proxy, read_request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.pigment import Pigment
    from tests.support.taps import MakeTap
    from tests.support.wire import Authority

ODD_KEY = 'odd+SECRET/key="with&all%41signs"'
PASSWORD = "pr0xy-SECRET-pass"  # noqa: S105 - of a proxy on localhost.
PROXIED_HOST = "pigment.test"
ECHO = f'{{"title": "Refused", "detail": "not with Bearer {API_KEY}"}}'.encode()
ESCAPED_ECHO = b'{"detail": "not with \\u006fdd+SECRET/key=\\"with&all%41signs\\""}'
STRUCTURED = """
version: 1
disable_existing_loggers: false
formatters: {structured: {(): singer_sdk.logging.StructuredFormatter}}
handlers: {stderr: {class: logging.StreamHandler, formatter: structured, stream: ext://sys.stderr}}
root: {level: DEBUG, handlers: [stderr]}
"""
# The errors of each run name several settings.
WRONG_SETTINGS: tuple[Mapping[str, Any], ...] = (
    {"api_key": {"key": API_KEY}, "metadata_api_key": [ODD_KEY], "api_kye": API_KEY, "max_retries": API_KEY},
    {"api_key": f" {API_KEY}", "metadata_api_key": f"{ODD_KEY}\n", "application_id": API_KEY, "include": API_KEY},
    {"api_key": f"{ODD_KEY}é", "api_url": f"https://user:{PASSWORD}@pigment.example/api"},
    {"api_url": f"https://pigment.example/api?key={API_KEY}"},
)


@dataclass
class SearchedRuns:
    """Runs of the tap in one home, all of them searched for secrets."""

    search: SecretSearch
    authority: Authority
    config: dict[str, Any]
    count: int = 0

    def run(
        self,
        *options: str,
        code: int = 1,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run the tap, which must end with an exit code, and return its output."""
        self.count += 1
        path = self.search.home.parent / f"config-{self.count}.json"
        path.write_text(json.dumps({**self.config, **(settings or {})}))
        variables = {"REQUESTS_CA_BUNDLE": str(self.authority.path), "LOGLEVEL": "DEBUG", **(environment or {})}
        done = self.search.run(f"run-{self.count}", ["--config", str(path), *options], variables)
        assert done.returncode == code, f"{options} {settings}: {done.stderr[-2000:]}"
        return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("home", "home/tmp", "home/spool"):
        (tmp_path / name).mkdir()
    return tmp_path / "home"


@pytest.fixture
def search(home: Path) -> SecretSearch:
    return SecretSearch(home, [API_KEY, ODD_KEY, PASSWORD])


def test_no_run_writes_an_api_key_or_password(authority: Authority, search: SecretSearch, home: Path) -> None:
    config = {"api_key": API_KEY, "application_id": APPLICATION_ID, "max_retries": 1, "parallel_exports": 16}
    config |= {"request_timeout_seconds": 30, "spool_dir": str(home / "spool")}
    short_timeout = {"request_timeout_seconds": 1}  # Some faults are silence.
    proxied_requests: list[bytes] = []
    with ExitStack() as stack:
        tls = authority.tls("h2", names=("localhost", PROXIED_HOST))
        over_http2, over_http1 = AllFaultsServer(Transport.HTTP_2), AllFaultsServer(Transport.HTTP_1)
        port = stack.enter_context(over_http2.serving(tls))
        plain_port = stack.enter_context(over_http1.serving(None))
        proxy_port = stack.enter_context(listening(proxy(port, proxied_requests)))
        closed_port = _closed_port()
        runs = SearchedRuns(search, authority, {**config, "api_url": f"https://localhost:{port}/api"})
        proxied = {"HTTPS_PROXY": f"http://user:{PASSWORD}@localhost:{proxy_port}"}
        behind_proxy = {"api_url": f"https://{PROXIED_HOST}/api"}
        plain = {"api_url": f"http://127.0.0.1:{plain_port}/api"}
        search.on_spooled = over_http2.searched.set
        over_http1.searched.set()

        # No fault
        catalog = home / "catalog.json"
        catalog.write_text(runs.run("--discover", code=0))
        rows = {"change_detection": "row", "snapshot_uri": str(home / "snapshots")}
        runs.run("--catalog", str(catalog), code=0, settings={**rows, **behind_proxy}, environment=proxied)
        batches = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": f"file://{home}/batches"},
        }
        runs.run("--catalog", str(catalog), code=0, settings={"batch_config": batches})
        runs.run("--check", code=0)

        # Another fault for each block
        over_http2.is_right = over_http1.is_right = False
        over_http2.searched.clear()
        structured = home / "log.yml"
        structured.write_text(STRUCTURED)
        runs.run(settings={**short_timeout, **behind_proxy}, environment=proxied)
        runs.run(
            "--catalog", str(catalog), settings=short_timeout, environment={"SINGER_SDK_LOG_CONFIG": str(structured)}
        )
        runs.run("--catalog", str(catalog), settings={**short_timeout, **plain, "api_key": ODD_KEY})

        # Faults in the listing
        for listing in (
            Answer(401, ECHO),
            Answer(403, ESCAPED_ECHO),
            Answer(500, b"x" * 280 + ECHO),
            Answer(302, headers={"Location": f"https://login.example/?key={API_KEY}"}),
            Answer(200, b"<html>" + ECHO),
        ):
            over_http2.listing = listing
            runs.run("--catalog", str(catalog), settings={"api_key": ODD_KEY})
        runs.run("--check", settings={"metadata_api_key": ODD_KEY})

        # Unreachable servers and proxies
        for unreachable in (f"localhost:{closed_port}", ":0"):
            runs.run(settings=behind_proxy, environment={"HTTPS_PROXY": f"http://user:{PASSWORD}@{unreachable}"})
        runs.run(environment={"REQUESTS_CA_BUNDLE": ""})

        # Wrong settings
        for wrong in WRONG_SETTINGS:
            runs.run(settings=wrong)
        broken = home.parent / "broken.json"
        broken.write_text(f'{{"api_key": "{API_KEY}", }}')
        search.run("broken", ["--config", str(broken)], {})
        search.run(
            "environment", ["--config=ENV"], {"TAP_PIGMENT_API_KEY": ODD_KEY, "TAP_PIGMENT_MAX_RETRIES": API_KEY}
        )

    assert search.found == {}
    assert search.spooled
    assert proxied_requests
    assert list((home / "snapshots").rglob("*.parquet"))
    assert list((home / "batches").iterdir())
    assert list((home / "spool").iterdir()) == []


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.parametrize(
    "written",
    [
        API_KEY,
        "odd%2BSECRET%2Fkey%3D%22with%26all%2541signs%22",
        'odd+SECRET/key=\\"with&all%41signs\\"',
        "Basic dXNlcjpwcjB4eS1TRUNSRVQtcGFzcw==",  # user:pr0xy-SECRET-pass
    ],
)
def test_the_search_finds_every_form_of_a_secret(search: SecretSearch, home: Path, written: str) -> None:
    (home / "file").write_text(f"a {written} b")

    search.run("version", ["--version"], {})

    assert list(search.found) == ["file"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path_part", ["/blocks", "/export/"])
def test_a_redirect_takes_the_api_key_to_no_other_host(
    pigment: Pigment, tap: MakeTap, status: int, path_part: str
) -> None:
    pigment.add_list("Countries", "Code\r\nFR\r\n")
    requests_seen: list[bytes] = []

    def keep(connection: socket.socket) -> None:
        requests_seen.append(read_request(connection))

    with listening(keep) as port:
        pigment.always_answer(path_part, Answer(status, headers={"Location": f"http://localhost:{port}/"}))
        with pytest.raises(
            PigmentError, match="The tap does not follow redirects, so that the API key reaches no other server"
        ):
            tap().sync_all()

    assert requests_seen == []


def test_an_api_key_as_application_id_is_refused_and_not_shown(tap: MakeTap) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        tap(application_ids=["0a1b", API_KEY], application_id=None)

    assert caught.value.errors == [
        "application_ids: it holds an API key. Set it to the id in the address of Pigment's screens."
    ]
