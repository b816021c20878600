"""What differs from the last run, and what the state keeps."""

from tap_pigment.changes.bookmark import Bookmark, given_bookmarks, next_version, read_bookmark
from tap_pigment.changes.record_spec import RecordSpec
from tap_pigment.changes.shrink_guard import check_shrinkage, may_activate
from tap_pigment.changes.snapshot_chain import Lineage
from tap_pigment.changes.snapshot_command import list_snapshots, named_snapshots, prune_snapshots
from tap_pigment.changes.snapshot_file import read_snapshot
from tap_pigment.changes.snapshot_store import SETTING, SnapshotStore
from tap_pigment.changes.stale_rows import changed_key_warning, keyless_notice
from tap_pigment.changes.stream_run import StreamRun, SyncPlan
from tap_pigment.changes.sync_plan import plan_sync

__all__ = [
    "SETTING",
    "Bookmark",
    "Lineage",
    "RecordSpec",
    "SnapshotStore",
    "StreamRun",
    "SyncPlan",
    "changed_key_warning",
    "check_shrinkage",
    "given_bookmarks",
    "keyless_notice",
    "list_snapshots",
    "may_activate",
    "named_snapshots",
    "next_version",
    "plan_sync",
    "prune_snapshots",
    "read_bookmark",
    "read_snapshot",
]
