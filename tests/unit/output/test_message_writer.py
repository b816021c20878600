"""Messages on stdout: one by one and in blocks, in the order in which they were written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import StateMessage

from tap_pigment.output import BlockWriter, FlatStateMessage

if TYPE_CHECKING:
    import pytest

STATE: dict[str, Any] = {"bookmarks": {"plan": {"rows": 3, "version": 7}, "é": {"rows": 0}}}


def test_blocks_and_messages_keep_their_order(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    writer = BlockWriter()

    writer.write_message(StateMessage({"bookmarks": {}}))
    writer.write_block(b'{"type":"RECORD","n":"\xc3\xa9"}\n{"type":"RECORD"}\n')
    writer.write_message(StateMessage(STATE))

    types = [json.loads(line)["type"] for line in capfdbinary.readouterr().out.splitlines()]
    assert types == ["STATE", "RECORD", "RECORD", "STATE"]


def test_a_block_is_written_byte_by_byte_as_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    block = '{"a":"é🎉\u2028"}\n'.encode()

    BlockWriter().write_block(block)

    assert capfdbinary.readouterr().out == block


def test_a_flat_state_is_the_message_of_the_sdk() -> None:
    writer = BlockWriter()

    assert writer.format_message(FlatStateMessage(STATE)) == writer.format_message(StateMessage(STATE))
    assert FlatStateMessage(STATE).to_dict()["value"] is STATE
