"""The action `verify`: which assumptions about Pigment's API hold in a real workspace.

`access` has the address and the keys, `probes` the requests, and `client` sends them. `csv_text` reads exports,
`evidence` has the responses, `facts` the assumptions, and `report` the results. `command` puts these together.
"""

from tap_pigment.sandbox.verify.access import CannotVerifyError
from tap_pigment.sandbox.verify.command import add_options, verify

__all__ = ["CannotVerifyError", "add_options", "verify"]
