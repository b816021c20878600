"""The action `verify`: against the sandbox, and against sandboxes in which one fact is broken."""

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from tap_pigment.sandbox.api import Workspace, pigment_app
from tap_pigment.sandbox.cli import EXTRA, main
from tap_pigment.sandbox.demo import DEMO_APPLICATION_ID, DEMO_KEY, demo_workspace
from tap_pigment.sandbox.server import serving
from tap_pigment.sandbox.verify.command import DEFAULT_KILOBYTES
from tap_pigment.sandbox.verify.facts import FACTS
from tap_pigment.sandbox.verify.probes import UNKNOWN_MEMBER
from tests.integration.sandbox import small_workspace
from tests.integration.sandbox.changed_api import ChangedApi, ChangedRequest, ChangedResponse, with_columns
from tests.integration.sandbox.small_workspace import (
    COUNTRIES,
    CURRENCIES,
    DOWNSIDE,
    EXPORT_KEY,
    JOURNAL,
    KEY,
    METADATA_KEY,
    PLAN,
    PLANNING_ID,
    SALES,
)
from tests.support.wire import Authority, listening, sending

PAGE = Path(__file__).parents[3] / "docs" / "verify-workspace.md"
SCRIPT = str(Path(sys.executable).with_name("tap-pigment-sandbox"))
PLAIN_CURRENCIES = replace(CURRENCIES, declared_columns=None)
PLANNING, *OTHERS = small_workspace.WORKSPACE.applications
# Its blocks come without columns, as Pigment's.
WORKSPACE = replace(
    small_workspace.WORKSPACE,
    applications=(replace(PLANNING, blocks=(PLAIN_CURRENCIES, *PLANNING.blocks[1:])), *OTHERS),
)
NEVER_SEEN = "Retry-After with status 429"
OVER_HTTPS = "HTTP version"


@dataclass(frozen=True)
class Report:
    """What the command returned and printed."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of a report in JSON, by name."""
        return {fact["name"]: fact for fact in json.loads(self.out)["facts"]}

    def names(self, result: str) -> list[str]:
        """Return the names of the facts with a result."""
        return [name for name, fact in self.facts.items() if fact["result"] == result]


@pytest.fixture
def verify(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], authority: Authority
) -> Callable[..., Report]:
    """Return a function that runs the command with these values of its environment variables."""

    def run(*options: str, ca_file: Path | None = None, **settings: str) -> Report:
        for name in ("API_URL", "API_KEY", "METADATA_API_KEY", "APPLICATION_ID"):
            monkeypatch.setenv(f"TAP_PIGMENT_{name}", settings.get(name.lower(), ""))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca_file or authority.path))
        code = main(["verify", *options])
        return Report(code, *capsys.readouterr())

    return run


@contextlib.contextmanager
def settings_of(app: ASGIApp, **options: bool) -> Iterator[dict[str, Any]]:
    """Serve an app; yield the settings of a user who has a key for each scope."""
    with serving(app, **options) as server:
        yield {
            "api_url": server.url,
            "api_key": EXPORT_KEY,
            "metadata_api_key": METADATA_KEY,
            "application_id": PLANNING_ID,
            "ca_file": server.ca_file,
        }


def texts_of(workspace: Workspace) -> set[str]:
    """Return every name, id, header, key and cell of a workspace that has a letter, and no single characters."""
    texts = {key.secret for key in workspace.keys}
    for application in workspace.applications:
        texts |= {application.id, application.name}
        texts |= {text for view in application.views for text in (view.id, view.name)}
        texts |= {text for scenario in application.scenarios for text in (scenario.id, scenario.name)}
        for block in application.blocks:
            texts |= {block.id, block.name}
            texts |= {text for column in block.columns for text in (column.name, column.technical_name)}
            texts |= {str(cell) for row in block.read() for cell in row if not isinstance(cell, bool)}
    return {text for text in texts if len(text) > 1 and re.search(r"[^\W\d_]", text)}


def shown_in(report: str, texts: set[str]) -> set[str]:
    """Return the texts that are whole words of a report."""
    words = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in sorted(texts, key=len, reverse=True)))
    return set(words.findall(report))


def test_every_fact_holds_in_the_sandbox(verify: Callable[..., Report]) -> None:
    app = ChangedApi(pigment_app(WORKSPACE))

    with settings_of(app, tls=True) as settings:
        report = verify("--json", "--scenario", DOWNSIDE.id, **settings)

    assert report.code == 0
    assert report.names("differs") == []
    assert report.names("not seen") == [NEVER_SEEN]
    assert list(report.facts) == [fact.name for fact in FACTS]
    assert "Sending at most 15 requests" in report.err
    assert len(app.requests) == 15


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_the_report_has_no_data_names_ids_or_keys(verify: Callable[..., Report], form: list[str]) -> None:
    with settings_of(pigment_app(WORKSPACE), tls=True) as settings:
        report = verify(*form, "--scenario", DOWNSIDE.id, **settings)

    assert report.code == 0
    assert shown_in(report.out + report.err, {*texts_of(WORKSPACE), "localhost", "127.0.0.1"}) == set()


def test_the_page_shows_the_report_about_the_demo(capfd: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text("utf-8")
    [shown] = re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)

    code = main(["run", "--tls", "--", SCRIPT, "verify"])

    out, err = capfd.readouterr()
    assert code == 0
    assert re.sub(r"^tap-pigment \S+:", "tap-pigment 0.9.0:", out) == shown
    assert shown_in(out + err, texts_of(demo_workspace())) == set()
    assert err.endswith(f"reading at most {DEFAULT_KILOBYTES} kB of each export.\n")
    assert f"reads at most {DEFAULT_KILOBYTES} kB of each export" in page


def test_the_extra_is_not_needed() -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(EXTRA - {'h2'})}));"
        "from tap_pigment.sandbox.cli import main; sys.exit(main(['verify']))"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={})

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "tap-pigment-sandbox: TAP_PIGMENT_API_KEY: not set. Set it as for tap-pigment.\n"


# One fact broken


Body = Callable[[ChangedRequest], Any]
Respond = Callable[[ChangedRequest, ChangedResponse], ChangedResponse]


def in_bytes(old: bytes, new: bytes, path: str = "/export/") -> Respond:
    """Return a change of a text in the exports of a path."""
    return lambda request, response: (
        replace(response, body=response.body.replace(old, new)) if path in request.path else response
    )


def at_end(more: bytes, path: str) -> Respond:
    """Return a change that adds a text to the exports of a path, except those with scenarios."""
    return lambda request, response: (
        replace(response, body=response.body + more)
        if path in request.path and "scenarios" not in request.body
        else response
    )


def with_status(old: int, new: int, path: str) -> Respond:
    """Return a change of one status of a path."""
    return lambda request, response: (
        replace(response, status=new) if path in request.path and response.status == old else response
    )


def failed_table(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    problem = json.dumps({"title": "Internal Server Error", "status": 500}).encode()
    return replace(response, status=500, body=problem) if PLAN.id in request.path else response


def over_the_quota(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    limited = with_status(404, 429, "/export/")(request, response)
    return replace(limited, headers={**limited.headers, "retry-after": "60"})


def with_headers(**headers: str) -> Respond:
    """Return a change of the headers of exports."""
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, response: (
        replace(response, headers={**response.headers, **changed})
        if "/export/" in request.path and response.status == 200
        else response
    )


def announced_length(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    return with_headers(content_length=str(len(response.body)))(request, response)


def brotli(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    accepts = "br" in request.headers["accept-encoding"]
    return replace(response, headers={**response.headers, "content-encoding": "br"}) if accepts else response


def in_listing(path: str, change: Callable[[Any], Any]) -> Respond:
    """Return a change of a listing."""
    return lambda request, response: (
        replace(response, body=json.dumps(change(json.loads(response.body))).encode())
        if request.path.endswith(path) and response.status == 200
        else response
    )


def html_errors(_request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    is_error = response.status >= 400
    return replace(response, headers={"content-type": "text/html"}, body=b"<p>Sorry") if is_error else response


def reversed_columns(block_id: str) -> Respond:
    """Return a change that reverses the columns of a block, except with scenarios."""
    return lambda request, response: (
        with_columns(response, lambda row: row[::-1])
        if block_id in request.path and "scenarios" not in request.body
        else response
    )


def scenario_last(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    has_scenarios = request.body and "scenarios" in request.body
    return with_columns(response, lambda row: [*row[1:], row[0]]) if has_scenarios else response


def scenario_header(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    has_scenarios = request.body and "scenarios" in request.body
    return replace(response, body=re.sub(rb"^scenario_\w+", b"Scenario", response.body)) if has_scenarios else response


def without_final_line_end(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    is_export = "/export/" in request.path
    return replace(response, body=response.body.removesuffix(b"\r\n")) if is_export else response


def small_booleans(_request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
    return replace(response, body=response.body.replace(b"TRUE", b"true").replace(b"FALSE", b"false"))


def by_default(**members: object) -> Body:
    """Return a change of the request that is empty."""
    return lambda request: request.body or members


def always(**members: object) -> Body:
    """Return a change of all requests that are not empty."""
    return lambda request: {**request.body, **members} if request.body else {}


def without(*names: str) -> Body:
    """Return a change that removes members."""
    return lambda request: {name: value for name, value in request.body.items() if name not in names}


def sorted_properties(request: ChangedRequest) -> Any:  # noqa: ANN401  # JSON.
    names = request.body.get("propertyTechnicalNames")
    return {**request.body, "propertyTechnicalNames": sorted(names)} if names else request.body


def other_order(request: ChangedRequest) -> Any:  # noqa: ANN401  # JSON.
    names = sorted((column.technical_name for column in COUNTRIES.properties), reverse=True)
    if COUNTRIES.id in request.path and not request.body.get("propertyTechnicalNames"):
        return {**request.body, "propertyTechnicalNames": names}
    return request.body


BROKEN_IN_REQUESTS: Mapping[str, tuple[list[str], Body]] = {
    "unknown member in a request": (["status 200"], without(UNKNOWN_MEMBER)),
    "BOM by default": (["no BOM"], by_default(encoding="Utf8WithoutBom")),
    "BOM when declined": (["BOM"], without("encoding")),
    "delimiter by default": (["comma"], by_default(fieldDelimiter="Comma")),
    "delimiter when requested": (["comma"], always(fieldDelimiter="Comma")),
    "headers by default": (["other"], by_default(friendlyHeaders=True)),
    "headers with friendlyHeaders": (["technical"], without("friendlyHeaders")),
    "columns with propertyTechnicalNames": (["another order"], sorted_properties),
    "order of properties": (["technical names, by code point", "another order"], other_order),
    "dates": (["MM/DD/YYYY"], lambda request: {**request.body, "dateFormat": "Legacy"}),
    "decimal separator": (["comma"], lambda request: {**request.body, "decimalSeparator": "Comma"}),
}
BROKEN_IN_RESPONSES: Mapping[str, tuple[list[str], Respond]] = {
    "end of an export's body": (["Content-Length"], announced_length),
    "compression of exports": (["br"], brotli),
    "Content-Type of exports": (["text/plain"], with_headers(content_type="text/plain; charset=utf-8")),
    "status of exports": (["status 200", "status 500"], failed_table),
    "listing of applications": (["not an array"], in_listing("/applications", lambda listing: {"items": listing})),
    "listing of blocks": (["more members"], in_listing("/blocks", lambda listing: [{**b, "x": 1} for b in listing])),
    "types of blocks": (
        ["DimensionList", "TransactionList", "Metric", "Table", "something else"],
        in_listing("/blocks", lambda listing: [*listing, {**listing[0], "type": "Board"}]),
    ),
    "columns in the listing of blocks": (
        ["columns"],
        in_listing("/blocks", lambda listing: [{**block, "columns": []} for block in listing]),
    ),
    "block that does not exist": (["status 403"], with_status(404, 403, "/export/")),
    "key without the scope": (["status 404"], with_status(403, 404, "/applications")),
    "bodies of errors": (["HTML"], html_errors),
    "Retry-After with status 429": (["seconds"], over_the_quota),
    "encoding": (["UTF-8", "not UTF-8"], in_bytes("🗾".encode(), b"\xe9")),
    "end of an export's last row": (["no line end"], without_final_line_end),
    "line ends": (["LF"], in_bytes(b"\r\n", b"\n")),
    "line breaks in cells": (["CR"], in_bytes(b"two\nlines", b"two\rlines")),
    "quoting": (["where needed", "a stray quote"], in_bytes(b'"say ""UK"""', b'say "UK"')),
    "lengths of rows": (["equal", "unequal"], at_end(b"1;one;more\r\n", JOURNAL.id)),
    "technical headers": (["slug and 6 characters", "another form"], in_bytes(b"text_BBBBBB", b"text_bbbbbb")),
    "first column of dimension lists": (
        ["named for the list", "not named for the list"],
        in_bytes(b"currencies_CCCCCC", b"code_CCCCCC", CURRENCIES.id),
    ),
    "first column of transaction lists": (["named for the list"], in_bytes(b"amount_AAAAAA", b"journal_AAAAAA")),
    "items of dimension lists": (["unique", "repeated"], at_end(b"EUR\r\n", CURRENCIES.id)),
    "value column of metrics": (["not last"], reversed_columns(SALES.id)),
    "blank values of metrics": (["no row", "a row"], at_end(b"France;2027;\r\n", SALES.id)),
    "columns of tables": (["another order"], reversed_columns(PLAN.id)),
    "place of the scenario column": (["last"], scenario_last),
    "header of the scenario column": (["Scenario"], scenario_header),
    "booleans": (["another case"], small_booleans),
    "exponents": (["e"], in_bytes(b"E-05", b"e-05")),
}
BROKEN: dict[str, tuple[list[str], dict[str, Any]]] = {
    **{name: (seen, {"body": change}) for name, (seen, change) in BROKEN_IN_REQUESTS.items()},
    **{name: (seen, {"response": change}) for name, (seen, change) in BROKEN_IN_RESPONSES.items()},
}


def test_every_fact_is_broken_by_some_test() -> None:
    assert {*BROKEN, OVER_HTTPS} == {fact.name for fact in FACTS}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_fact_is_the_only_difference(verify: Callable[..., Report], name: str) -> None:
    observed, changes = BROKEN[name]

    with settings_of(ChangedApi(pigment_app(WORKSPACE), **changes)) as settings:
        report = verify("--json", "--scenario", DOWNSIDE.id, **settings)

    assert report.code == 0
    assert report.names("differs") == [name]
    assert report.facts[name]["observed"] == observed


def test_a_server_without_http2_is_a_difference(verify: Callable[..., Report]) -> None:
    with settings_of(pigment_app(WORKSPACE), tls=True, http2=False) as settings:
        report = verify(**settings)

    assert "differs: HTTP/1.1 (expected: HTTP/2)" in report.out
    assert ", 1 different, " in report.out


def test_what_a_server_invents_is_something_else(verify: Callable[..., Report]) -> None:
    def invent(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
        if "/export/" not in request.path:
            return replace(response, body=response.body.replace(b'"Metric"', b'"SECRET"'))
        headers = {"content-type": "SECRET/SECRET", "content-encoding": "SECRET", "retry-after": "SECRET"}
        if "br" not in request.headers["accept-encoding"]:
            del headers["content-encoding"]
        body = b"SECRET|SECRET\r\nSECRET|SECRET\r\n" if response.status == 200 else b"SECRET"
        return replace(response, headers=headers, body=body)

    with settings_of(ChangedApi(pigment_app(WORKSPACE), response=invent)) as settings:
        report = verify("--json", **settings)

    assert report.facts["types of blocks"]["observed"][-1] == "something else"
    assert report.facts["compression of exports"]["observed"] == ["something else"]
    assert report.facts["delimiter by default"]["observed"] == ["something else"]
    assert "SECRET" not in report.out + report.err


# Requests


def test_only_the_blocks_of_the_option_are_exported(verify: Callable[..., Report]) -> None:
    app = ChangedApi(pigment_app(WORKSPACE))

    with settings_of(app) as settings:
        report = verify("--block", COUNTRIES.id, **settings)

    exported = {request.path.rpartition("/")[2] for request in app.requests if "/export/" in request.path}
    assert exported - {COUNTRIES.id} == {app.requests[-1].path.rpartition("/")[2]}
    assert report.code == 0


def test_a_large_export_is_not_read_to_its_end(verify: Callable[..., Report]) -> None:
    with settings_of(pigment_app(demo_workspace(rows=20_000)), tls=True) as settings:
        demo = {**settings, "api_key": DEMO_KEY, "metadata_api_key": "", "application_id": DEMO_APPLICATION_ID}
        ledger = next(b.id for b in demo_workspace().applications[0].blocks if b.name == "GL transactions")
        report = verify("--json", "--block", ledger, "--max-kilobytes", "50", **demo)

    assert report.names("differs") == []
    assert "end of an export's last row" in report.names("not seen")
    assert report.facts["line ends"]["observed"] == ["CRLF"]


def test_a_429_ends_the_requests_and_is_reported(verify: Callable[..., Report]) -> None:
    with settings_of(pigment_app(WORKSPACE, quota=4)) as settings:
        report = verify(**settings)

    assert report.code == 0
    assert "5 requests to another host" in report.out
    assert "Stopped early: the quota of requests is used up (429)." in report.out


def test_a_config_file_replaces_the_environment(verify: Callable[..., Report], tmp_path: Path) -> None:
    config = tmp_path / "config.json"

    with settings_of(pigment_app(WORKSPACE)) as settings:
        del settings["ca_file"]
        config.write_text(json.dumps({**settings, "include": ["*"]}))
        report = verify("--config", str(config), api_url="https://pigment.test/api")

    assert report.code == 0
    assert ", 0 different, " in report.out


# Failures


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metadata_api_key": "pgmt_unknown"}, "Pigment does not accept the API key for metadata (401)."),
        ({"metadata_api_key": EXPORT_KEY}, "the API key lacks the Modeling Metadata scope (403)."),
        ({"api_key": METADATA_KEY}, "Pigment refuses every export (403)."),
        ({"api_key": "pgmt_unknown"}, "Pigment refuses every export (401)."),
        ({"application_id": "aaaaaaaa-0000-4000-8000-00000000000f"}, "application_id: Pigment lists no such"),
        ({"api_key": ""}, "TAP_PIGMENT_API_KEY: not set."),
        ({"application_id": ""}, "TAP_PIGMENT_APPLICATION_ID: not set."),
        ({"api_url": "http://pigment.test/api"}, "TAP_PIGMENT_API_URL: not an https address."),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(
    verify: Callable[..., Report], settings: dict[str, str], message: str
) -> None:
    with settings_of(pigment_app(WORKSPACE)) as valid:
        report = verify(**{**valid, **settings})

    *_, last = report.err.splitlines()
    assert (report.code, report.out) == (1, "")
    assert last.startswith(f"tap-pigment-sandbox: {message}")
    assert len(report.err.splitlines()) <= 2
    assert "pgmt_" not in report.err


def test_an_unknown_block_is_refused_before_any_export(verify: Callable[..., Report]) -> None:
    app = ChangedApi(pigment_app(WORKSPACE))

    with settings_of(app) as settings:
        report = verify("--block", DOWNSIDE.id, **settings)

    assert report.code == 1
    assert "--block: the application has no block with this id." in report.err
    assert not [request for request in app.requests if "/export/" in request.path]


def test_a_closed_port_is_no_connection(verify: Callable[..., Report]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    report = verify(api_url=f"http://127.0.0.1:{port}/api", api_key=KEY, application_id=PLANNING_ID)

    assert report.code == 1
    assert report.err.endswith("tap-pigment-sandbox: no connection. Check the address and the network.\n")


def test_an_unreadable_file_of_authorities_is_named_by_its_variable(
    verify: Callable[..., Report], tmp_path: Path
) -> None:
    report = verify(api_key=KEY, application_id=PLANNING_ID, ca_file=tmp_path / "none.pem")

    assert report.code == 1
    assert "tap-pigment-sandbox: REQUESTS_CA_BUNDLE: no certificates can be read there." in report.err


def test_a_broken_connection_is_one_line(verify: Callable[..., Report]) -> None:
    with listening(sending(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")) as port:
        report = verify(api_url=f"http://127.0.0.1:{port}/api", api_key=KEY, application_id=PLANNING_ID)

    assert report.code == 1
    assert report.err.endswith("tap-pigment-sandbox: the connection broke. Try again.\n")


def test_an_address_of_something_else_is_one_line(verify: Callable[..., Report]) -> None:
    with listening(sending(b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n")) as port:
        report = verify(api_url=f"http://127.0.0.1:{port}", api_key=KEY, application_id=PLANNING_ID)

    assert report.code == 1
    assert report.err.endswith("tap-pigment-sandbox: the listing has status 302. Check api_url.\n")


def test_an_unknown_authority_is_named_as_the_cause(verify: Callable[..., Report]) -> None:
    with settings_of(pigment_app(WORKSPACE), tls=True) as settings:
        report = verify(**{**settings, "ca_file": None})

    assert report.code == 1
    assert "the server's certificate is not trusted. Set REQUESTS_CA_BUNDLE" in report.err


def test_a_request_without_response_is_counted_and_no_failure(verify: Callable[..., Report]) -> None:
    def break_off(request: ChangedRequest, response: ChangedResponse) -> ChangedResponse:
        if PLAN.id in request.path:
            raise ConnectionAbortedError
        return response

    with settings_of(ChangedApi(pigment_app(WORKSPACE), response=break_off), tls=True) as settings:
        report = verify("--json", **settings)

    assert report.code == 0
    assert json.loads(report.out)["failed"] == 1
    assert "columns of tables" in report.names("not seen")
    assert report.names("differs") == []
