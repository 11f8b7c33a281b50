"""Errors that a user can act on.

The command lines print the message of a `UserError` alone, without a traceback, and exit with status 2. A message is
one sentence or two: what was found, what was expected, and what to do.
"""


class UserError(Exception):
    """Something outside the code is wrong: a file, a key, a setting."""


class ConfigError(UserError):
    """A configuration file or an override cannot be used."""


class DataError(UserError):
    """A data set, a tracklet or a frame cannot be read."""


class CheckpointError(UserError):
    """A checkpoint or a weight file cannot be used."""
