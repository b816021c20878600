"""What several tests of the settings start from or expect."""

KEY = "pgmt_Abc123DEF456"
CONFIG = {"api_key": KEY, "application_id": "app-1"}
APPLICATION_MISSING = (
    "'application_id' is a required property: set it (or 'application_ids') to the id of the Pigment application to "
    "extract from."
)
