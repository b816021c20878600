"""Rows on their way out: records, RECORD lines, BATCH files, and the stores of files."""

from tap_pigment.output.batch_files import write_batch_files
from tap_pigment.output.exact_numbers import with_exact_numbers
from tap_pigment.output.json_lines import deletion_blocks, record_blocks
from tap_pigment.output.message_writer import BlockWriter, FlatStateMessage
from tap_pigment.output.record_set import (
    DeletedRows,
    RecordSet,
    RowSelection,
    number_identical_rows,
)
from tap_pigment.output.state_writer import StateWriter
from tap_pigment.output.stdout import checked_stdout
from tap_pigment.output.stores import check_file_name, check_store, open_store, store_errors

__all__ = [
    "BlockWriter",
    "DeletedRows",
    "FlatStateMessage",
    "RecordSet",
    "RowSelection",
    "StateWriter",
    "check_file_name",
    "check_store",
    "checked_stdout",
    "deletion_blocks",
    "number_identical_rows",
    "open_store",
    "record_blocks",
    "store_errors",
    "with_exact_numbers",
    "write_batch_files",
]
