"""The action `verify` of the command line: its options, and its run."""

import argparse
import uuid
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

from tap_pigment.sandbox.verify import probes
from tap_pigment.sandbox.verify.access import CannotVerifyError, read_access
from tap_pigment.sandbox.verify.client import Client
from tap_pigment.sandbox.verify.evidence import Evidence, Exchange
from tap_pigment.sandbox.verify.probes import Block, Probe, Purpose
from tap_pigment.sandbox.verify.report import Summary, as_json, as_text, findings

DEFAULT_KILOBYTES = 256
_REFUSED: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "Pigment does not accept the API key for metadata (401). Set a key that is valid.",
    HTTPStatus.FORBIDDEN: "the API key lacks the Modeling Metadata scope (403). Set a key that has it.",
    HTTPStatus.TOO_MANY_REQUESTS: "the quota of requests is used up (429). Try again in 5 minutes.",
}
_NO_APPLICATION = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="config file of tap-pigment; default: TAP_PIGMENT_API_KEY and the other environment variables",
    )
    parser.add_argument(
        "--block",
        type=_uuid,
        action="append",
        default=[],
        metavar="ID",
        help=f"export this block, instead of the first of each type; up to {probes.MAX_BLOCKS} times",
    )
    parser.add_argument(
        "--scenario", type=_uuid, metavar="ID", help="export the first of the metrics with this scenario, too"
    )
    parser.add_argument(
        "--max-kilobytes",
        type=_kilobytes,
        default=DEFAULT_KILOBYTES,
        metavar="KB",
        help="stop reading an export after this much of it (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def verify(options: argparse.Namespace, environment: Mapping[str, str], announce: Callable[[str], object]) -> str:
    """Send the requests and return the report; raise CannotVerifyError if the workspace cannot be reached.

    Args:
        options: The options that `add_options` adds.
        environment: The environment variables.
        announce: Called with a line about the requests, before the first of them.
    """
    if len(options.block) > probes.MAX_BLOCKS:
        raise CannotVerifyError(f"--block: {len(options.block)} times. Give it at most {probes.MAX_BLOCKS} times.")
    access = read_access(options.config, environment)
    has_two_keys = access.export_key != access.metadata_key
    requests = probes.max_requests(
        len(options.block) or probes.MAX_BLOCKS, has_two_keys=has_two_keys, has_scenario=bool(options.scenario)
    )
    announce(
        f"Sending at most {requests} requests, which change nothing, "
        f"and reading at most {options.max_kilobytes} kB of each export."
    )

    run = _Run(Client(access, environment), is_encrypted=access.is_encrypted)
    run.start(access.application_id)
    if has_two_keys:
        run.send(probes.missing_scope_probe())
    run.export(_blocks(run.evidence.blocks, options.block), options.max_kilobytes * 1000, options.scenario)
    run.send(probes.foreign_block_probe(uuid.uuid4()))

    found = findings(run.evidence)
    summary = Summary(version("tap-pigment"), access.host, run.requests, run.failed, run.is_stopped)
    return as_json(found, summary) if options.json else as_text(found, summary)


class _Run:
    """The requests to a workspace, one after another, until one gets a status 429.

    Attributes:
        requests: How many requests were sent.
        failed: How many of them had no response.
        is_stopped: Whether one got a status 429: the quota is shared with others, such as tonight's load.
    """

    def __init__(self, client: Client, *, is_encrypted: bool) -> None:
        self._client = client
        self._is_encrypted = is_encrypted
        self._exchanges: list[Exchange] = []
        self.requests = 0
        self.failed = 0
        self.is_stopped = False

    @property
    def evidence(self) -> Evidence:
        """The exchanges so far."""
        return Evidence(tuple(self._exchanges), self._is_encrypted)

    def start(self, application_id: str) -> None:
        """List applications and blocks; raise CannotVerifyError if that is refused."""
        status = self._send(probes.applications_probe()).status
        if status == HTTPStatus.OK:
            status = self._send(probes.blocks_probe(application_id)).status
            if status in _NO_APPLICATION:
                raise CannotVerifyError(f"application_id: Pigment lists no such application ({status}). Correct it.")
        if status != HTTPStatus.OK:
            unknown = f"the listing has status {status}. Check api_url."
            raise CannotVerifyError(_REFUSED.get(status, unknown))

    def export(self, blocks: Iterable[Block], max_bytes: int, scenario_id: str | None) -> None:
        """Export the blocks, then a small one of them in other ways; raise CannotVerifyError if all are refused."""
        blocks = list(blocks)
        for block in blocks:
            self.send(probes.export_probe(block, max_bytes))
        statuses = {exchange.status for exchange in self.evidence.of(Purpose.EXPORT)}
        if statuses and statuses <= {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            shown = " and ".join(map(str, sorted(statuses)))
            raise CannotVerifyError(
                f"Pigment refuses every export ({shown}). Set api_key to a key with the Export scope."
            )
        small = self.evidence.small_export()
        if small:
            for probe in probes.later_probes(small.block, small.properties, max_bytes):
                self.send(probe)
        metric = next((block for block in blocks if block.type == "Metric"), None)
        if metric and scenario_id:
            self.send(probes.scenario_probe(metric, scenario_id, max_bytes))

    def send(self, probe: Probe) -> None:
        """Send a request whose failure is no reason to end, unless one got a status 429."""
        if self.is_stopped:
            return
        try:
            self._send(probe)
        except CannotVerifyError:
            self.failed += 1

    def _send(self, probe: Probe) -> Exchange:
        self.requests += 1
        exchange = self._client.send(probe)
        self._exchanges.append(exchange)
        self.is_stopped |= exchange.status == HTTPStatus.TOO_MANY_REQUESTS
        return exchange


def _blocks(listed: list[Block], ids: list[str]) -> list[Block]:
    """Return the blocks with these ids, or without ids the first of each type."""
    if not ids:
        return probes.chosen_blocks(listed)
    by_id = {block.id: block for block in listed if block.type in probes.BLOCK_TYPES}
    if any(block_id not in by_id for block_id in ids):
        raise CannotVerifyError("--block: the application has no block with this id. It is table_name in the catalog.")
    return [by_id[block_id] for block_id in ids]


def _uuid(text: str) -> str:
    if not probes.is_id(text):
        raise argparse.ArgumentTypeError("not an id of Pigment, which has 32 digits and letters in 5 groups")
    return text.lower()


def _kilobytes(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("not a whole number of at least 1")
    return int(text)
