"""Downloads over scripted responses: an export is complete and on disk, or retried, or nothing of it stays."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from requests.adapters import HTTPAdapter

from tap_pigment.errors import (
    MalformedExportError,
    PigmentError,
    PigmentExportError,
    RunStoppedError,
    ScopeMissingError,
    SpoolError,
)
from tap_pigment.exports import ExportDownloader, SpoolDirectory, SpoolRoom
from tap_pigment.pigment import ApiRequest, PigmentClient, Scope
from tap_pigment.run_report import StreamProgress
from tap_pigment.settings import Settings
from tests.support.taps import Clock
from tests.unit.exports.disk import largest_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import requests

    from tap_pigment.exports import ExportFile

LOGGER = logging.getLogger("test-download")
REQUEST = ApiRequest(Scope.EXPORT, "POST", "/v1/export/table/id-1", "plan")
WHOLE = b'Code;Name\r\nFR;"France; ""la"""\r\nDE;Germany\r\n'
UNENDED = WHOLE.removesuffix(b"\r\n")


@dataclass(frozen=True)
class ScriptedResponse:
    """A response to send; its length is announced, unless another one or None is given."""

    body: bytes = WHOLE
    status: int = 200
    headers: Mapping[str, str | None] = field(default_factory=dict)


class ScriptedBody(io.BytesIO):
    """A body that calls a function whenever some of it is read."""

    def __init__(self, content: bytes, on_read: Callable[[], object]) -> None:
        super().__init__(content)
        self._on_read = on_read

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes."""
        self._on_read()
        return super().read(size)


class ScriptedAdapter(HTTPAdapter):
    """Responds to each request with the next of some responses.

    Attributes:
        responses: The responses that are left.
        on_read: Called whenever some of a body is read.
    """

    def __init__(self, *responses: ScriptedResponse) -> None:
        super().__init__()
        self.responses = list(responses)
        self.on_read: Callable[[], object] = list

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # noqa: ANN401 - the signature of `requests`.
        """Return the next response."""
        response = self.responses.pop(0)
        given = {"Content-Length": str(len(response.body)), "Content-Type": "text/csv", **response.headers}
        headers = {name: value for name, value in given.items() if value is not None}
        raw = urllib3.HTTPResponse(
            ScriptedBody(response.body, self.on_read),
            headers,
            response.status,
            version=11,
            preload_content=False,
            request_method="POST",
        )
        return self.build_response(request, raw)


class Downloads:
    """A downloader whose client gets scripted responses.

    Attributes:
        spool_dir: Where the exports are.
        adapter: Gives the responses.
        waits: The seconds of each wait.
    """

    def __init__(
        self, spool_dir: Path, *responses: ScriptedResponse, max_retries: int = 3, is_hashed: bool = False
    ) -> None:
        self.spool_dir = spool_dir
        self.adapter = ScriptedAdapter(*responses)
        clock = Clock()
        self.waits = clock.waits
        settings = Settings.from_config(
            {
                "api_key": "pgmt_Abc",
                "application_id": "app-1",
                "api_url": "http://localhost/api",
                "max_retries": max_retries,
            }
        )
        self.client = PigmentClient(settings, LOGGER, clock=clock, sleep=clock.sleep, draw=lambda: 1.0)
        self.client.session.mount("http://", self.adapter)
        self.spool = SpoolDirectory(spool_dir)
        self._downloader = ExportDownloader(
            self.client, self.spool, SpoolRoom(self.spool, None), is_hashed=is_hashed, logger=LOGGER
        )

    def download(self) -> ExportFile:
        """Download an export."""
        self.progress = StreamProgress("plan", LOGGER, Clock())
        return self._downloader.download(REQUEST, self.progress)

    def files(self) -> list[Path]:
        """Return the files of exports on disk."""
        return [path for path in self.spool_dir.rglob("*") if path.is_file() and path.name != "run.lock"]


@pytest.fixture
def downloads(tmp_path: Path) -> Iterator[Callable[..., Downloads]]:
    made = []

    def make(*responses: ScriptedResponse, **options: Any) -> Downloads:  # noqa: ANN401 - see `Downloads`.
        made.append(Downloads(tmp_path, *responses, **options))
        return made[-1]

    yield make
    for each in made:
        each.client.close()
        each.spool.close()


@pytest.fixture(autouse=True)
def warnings_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


# Complete exports


def test_a_complete_export_is_on_disk_with_its_counts(downloads: Callable[..., Downloads]) -> None:
    before = datetime.now(UTC)
    run = downloads(ScriptedResponse())

    file = run.download()

    assert run.files() == [file.path]
    assert file.path.read_bytes() == WHOLE
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.header == ("Code", "Name")
    assert (file.counts.rows, file.counts.size_bytes) == (2, len(WHOLE))
    assert before <= file.received_at <= datetime.now(UTC)
    assert file.response.raw.closed
    assert file.sha256 is None
    assert run.waits == []


def test_an_export_is_hashed_as_it_arrives(downloads: Callable[..., Downloads]) -> None:
    file = downloads(ScriptedResponse(), is_hashed=True).download()

    assert file.sha256 == "be7ffc91ada8390355e71bd320488b0452afac632ea3eb62aeb372f27f817334"


def test_a_compressed_export_is_on_disk_decompressed(downloads: Callable[..., Downloads]) -> None:
    run = downloads(ScriptedResponse(gzip.compress(WHOLE), headers={"Content-Encoding": "gzip"}), is_hashed=True)

    file = run.download()

    assert file.path.read_bytes() == WHOLE
    assert file.counts.size_bytes == len(WHOLE)
    assert file.sha256 == hashlib.sha256(WHOLE).hexdigest()


def test_a_header_alone_is_a_complete_export(downloads: Callable[..., Downloads]) -> None:
    file = downloads(ScriptedResponse(b"Code;Name\r\n")).download()

    assert file.header == ("Code", "Name")
    assert file.counts.rows == 0


def test_a_deleted_export_takes_its_other_files_along(downloads: Callable[..., Downloads]) -> None:
    run = downloads(*[ScriptedResponse()] * 11)
    files = [run.download() for _ in range(11)]
    files[0].path.with_suffix(".quoted").touch()

    files[0].delete()
    files[0].delete()

    assert sorted(run.files()) == sorted(file.path for file in files[1:])


# Retries


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param(ScriptedResponse(status=503, body=b""), id="503"),
        pytest.param(ScriptedResponse(headers={"Content-Length": "999"}), id="truncated"),
        pytest.param(ScriptedResponse(headers={"Content-Length": None}), id="no proof of its end"),
        pytest.param(
            ScriptedResponse(gzip.compress(WHOLE)[:-9], headers={"Content-Encoding": "gzip"}), id="truncated gzip"
        ),
        pytest.param(ScriptedResponse(UNENDED), id="no line end at the end"),
        pytest.param(ScriptedResponse(b'Code;Name\r\nFR;"Fr'), id="an open quote"),
        pytest.param(ScriptedResponse(b"Code;Name\r\nFR\r\n"), id="a missing field"),
        pytest.param(ScriptedResponse(b"Code;Name\r\n\xff;x\r\n"), id="not UTF-8"),
        pytest.param(ScriptedResponse(b"\xff;Name\r\n"), id="a header that is not UTF-8"),
        pytest.param(ScriptedResponse(b""), id="empty"),
        pytest.param(ScriptedResponse(b"<!DOCTYPE html><p>Sign in"), id="a web page"),
        pytest.param(ScriptedResponse(b"{}", headers={"Content-Type": "application/json"}), id="JSON"),
    ],
)
def test_an_incomplete_export_is_retried_and_leaves_no_file(
    downloads: Callable[..., Downloads], failed: ScriptedResponse
) -> None:
    run = downloads(failed, ScriptedResponse())

    file = run.download()

    assert file.path.read_bytes() == WHOLE
    assert run.files() == [file.path]
    assert run.waits == [1.0]


@pytest.mark.parametrize(
    ("response", "error", "problem"),
    [
        pytest.param(
            ScriptedResponse(b'Code;Name\r\nFR;"Fr'),
            PigmentExportError,
            "plan: the export is incomplete: it ends inside a quoted field. Nothing was emitted. Run again later.",
            id="an open quote",
        ),
        pytest.param(
            ScriptedResponse(b""),
            PigmentExportError,
            "plan: the export is incomplete: it is empty, without even a header. Nothing was emitted. Run again later.",
            id="empty",
        ),
        pytest.param(
            ScriptedResponse(b"Code;Name\r\nFR;France\r\nDE\r\n"),
            MalformedExportError,
            "plan: row 2 (line 3) has 1 fields, the header has 2. Nothing was emitted. Run again; if it persists, "
            "check that row in Pigment.",
            id="a missing field",
        ),
        pytest.param(
            ScriptedResponse(b"<!DOCTYPE html><p>Sign in"),
            PigmentExportError,
            "plan: the response is a web page, such as a login page or a proxy's. Check api_url and the proxy.",
            id="a web page",
        ),
    ],
)
def test_an_export_that_stays_incomplete_is_an_error(
    downloads: Callable[..., Downloads], response: ScriptedResponse, error: type[PigmentError], problem: str
) -> None:
    run = downloads(*[response] * 4)

    with pytest.raises(PigmentError) as caught:
        run.download()

    assert type(caught.value) is error
    assert str(caught.value) == problem
    assert run.files() == []
    assert run.adapter.responses == []


# The final line end


def test_an_export_without_its_final_line_end_is_accepted_after_all_tries(
    downloads: Callable[..., Downloads], caplog: pytest.LogCaptureFixture
) -> None:
    run = downloads(*[ScriptedResponse(UNENDED)] * 4)

    file = run.download()

    assert file.path.read_bytes() == UNENDED
    assert run.files() == [file.path]
    assert caplog.messages[-1] == (
        "plan: the export does not end with a line end, and all tries ended at the same byte. Exports without it are "
        "accepted for the rest of the run."
    )


def test_no_more_than_one_of_its_tries_is_on_the_disk(downloads: Callable[..., Downloads]) -> None:
    run = downloads(*[ScriptedResponse(UNENDED)] * 4)
    files_at_once: list[int] = []
    run.adapter.on_read = lambda: files_at_once.append(len(run.files()))

    run.download()

    assert max(files_at_once) == 1


def test_after_that_exports_without_it_are_accepted_at_once(
    downloads: Callable[..., Downloads], caplog: pytest.LogCaptureFixture
) -> None:
    run = downloads(*[ScriptedResponse(UNENDED)] * 4, ScriptedResponse(b"a\nx"), ScriptedResponse(WHOLE))
    run.download()
    caplog.clear()
    run.waits.clear()

    files = [run.download(), run.download()]

    assert [file.path.read_bytes() for file in files] == [b"a\nx", WHOLE]
    assert run.waits == []
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("responses", "max_retries"),
    [
        pytest.param([UNENDED, UNENDED, UNENDED[:-1], UNENDED], 3, id="one ends elsewhere"),
        pytest.param([UNENDED], 0, id="a single try"),
        pytest.param([UNENDED, UNENDED, b"", UNENDED], 3, id="one is empty"),
    ],
)
def test_an_export_without_its_final_line_end_may_be_truncated(
    downloads: Callable[..., Downloads], responses: list[bytes], max_retries: int
) -> None:
    run = downloads(*map(ScriptedResponse, responses), max_retries=max_retries)

    with pytest.raises(PigmentExportError) as caught:
        run.download()

    assert str(caught.value) == (
        "plan: the export is incomplete: it does not end with a line end. Nothing was emitted. Run again later."
    )
    assert run.files() == []


def test_a_403_after_an_export_without_its_final_line_end_leaves_no_file(downloads: Callable[..., Downloads]) -> None:
    run = downloads(ScriptedResponse(UNENDED), ScriptedResponse(status=403, body=b""))

    with pytest.raises(ScopeMissingError, match="plan: the API key lacks the Export scope"):
        run.download()

    assert run.files() == []


# The disk, and the end of the run


def test_an_export_that_the_disk_does_not_take_is_not_retried(downloads: Callable[..., Downloads]) -> None:
    run = downloads(*[ScriptedResponse(b"Code;Name\r\n" + b"FR;France\r\n" * 300_000)] * 4)

    with pytest.raises(SpoolError) as caught, largest_file(2_000_000):
        run.download()

    assert str(caught.value).startswith(f"spool_dir: {run.spool.path()}: File too large.")
    assert run.files() == []
    assert run.waits == []


def test_a_cancelled_download_is_stopped_and_leaves_no_file(downloads: Callable[..., Downloads]) -> None:
    run = downloads(ScriptedResponse())
    run.client.cancel()

    with pytest.raises(RunStoppedError, match="plan: the run was stopped"):
        run.download()

    assert run.files() == []


def test_a_download_cancelled_in_the_middle_leaves_no_file(downloads: Callable[..., Downloads]) -> None:
    run = downloads(ScriptedResponse(b"Code;Name\r\n" + b"FR;France\r\n" * 300_000))
    files_when_cancelled = []

    def cancel() -> None:
        files_when_cancelled.extend(run.files())
        run.client.cancel()

    run.adapter.on_read = cancel
    with pytest.raises(RunStoppedError, match="plan: the run was stopped"):
        run.download()

    assert len(files_when_cancelled) == 1
    assert run.files() == []
