"""Errors that a user can act on.

The command lines print the message of a `UserError` without a traceback, and exit with status 2. A message is one or
two sentences: what was expected, what was got, and what to do.
"""


class UserError(Exception):
    """Something outside the code is wrong: a file, a key, a setting."""


class ConfigError(UserError):
    """A configuration file or an override cannot be used."""


class DataError(UserError):
    """A dataset, a tracklet or a frame cannot be read."""


class CheckpointError(UserError):
    """A checkpoint or a weight file cannot be used."""
