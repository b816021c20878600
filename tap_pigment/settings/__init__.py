"""The settings: their JSON schema for users, frozen `Settings` for the tap, and their validation."""

from tap_pigment.settings.environment import (
    check_key_log,
    log_config_errors,
    read_variables,
    unknown_variables_warning,
    use_known_log_level,
)
from tap_pigment.settings.model import Settings, StoreAddress, StreamOverride
from tap_pigment.settings.schema import (
    BLOCK_TYPES,
    COLUMN_TYPES,
    METADATA_STREAMS,
    SETTINGS,
    ChangeDetection,
    Headers,
    OnStreamError,
)
from tap_pigment.settings.stream_maps import key_problem
from tap_pigment.settings.validation import (
    config_errors,
    is_loopback,
    readable_schema_error,
    settings_without_effect,
)

__all__ = [
    "BLOCK_TYPES",
    "COLUMN_TYPES",
    "METADATA_STREAMS",
    "SETTINGS",
    "ChangeDetection",
    "Headers",
    "OnStreamError",
    "Settings",
    "StoreAddress",
    "StreamOverride",
    "check_key_log",
    "config_errors",
    "is_loopback",
    "key_problem",
    "log_config_errors",
    "read_variables",
    "readable_schema_error",
    "settings_without_effect",
    "unknown_variables_warning",
    "use_known_log_level",
]
