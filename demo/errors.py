"""The one error of the demo itself."""


class DemoError(Exception):
    """The demo could not run as planned; the text says why."""
