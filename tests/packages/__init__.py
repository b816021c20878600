"""Wheel and sdist as users get them: their contents, their installation, and the container.

`TEST_DIST` names a folder with a wheel and an sdist to test; without it, both are built. `TEST_RESOLUTION` names which
versions of the dependencies to install, see `environments.RESOLUTIONS`; without it, the newest and the lowest.
"""
