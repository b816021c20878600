"""The action `verify`: which assumptions about Pigment's API hold in a real workspace.

`access` is where and with which keys, `probes` which requests are sent, `client` sends them, `csv_text` reads exports,
`evidence` is what came back, `facts` the assumptions, and `report` what they came to. `command` puts these together.
"""

from tap_pigment.sandbox.verify.access import CannotVerifyError
from tap_pigment.sandbox.verify.command import add_options, verify

__all__ = ["CannotVerifyError", "add_options", "verify"]
