"""The settings: their JSON schema for users, frozen `Settings` for the tap, and their validation."""

from tap_pigment.settings.model import Settings, StreamOverride
from tap_pigment.settings.schema import BLOCK_TYPES, COLUMN_TYPES, SETTINGS, ChangeDetection, Headers, OnStreamError
from tap_pigment.settings.validation import config_errors, is_loopback

__all__ = [
    "BLOCK_TYPES",
    "COLUMN_TYPES",
    "SETTINGS",
    "ChangeDetection",
    "Headers",
    "OnStreamError",
    "Settings",
    "StreamOverride",
    "config_errors",
    "is_loopback",
]
