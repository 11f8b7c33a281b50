"""Errors that a user can act on.

The command lines print the message of a `UserError` without a traceback, and exit with status 2. A message is one or
two sentences: the expected and the actual value, and what to do.
"""


class UserError(Exception):
    """An error in something outside the code, such as a file, a key or a setting."""


class ConfigError(UserError):
    """A configuration file or an override cannot be used."""


class DataError(UserError):
    """A dataset, a tracklet or a frame cannot be read."""


class CheckpointError(UserError):
    """A checkpoint or a weight file cannot be used."""


class OutputError(UserError):
    """A file or a folder cannot be written."""
