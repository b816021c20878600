"""A small Pigment on localhost, with demo data.

`api` is the REST API over a workspace in memory, `demo` the demo workspace, `server` the HTTP server, and `cli` the
command `tap-pigment-sandbox`. Serving needs the extra `sandbox`.
"""
