"""Errors that a user can mend. Each becomes one line on stderr and an exit code.

    EcgkdError                  70  base; raised itself only for what should not happen
    ├── GateError                1  a gate or a comparison says no
    ├── UsageError               2  an argument, recipe, protocol or gallery does not fit
    │   └── LeakageError         2  a protocol would let test people or windows leak
    ├── MissingToolError         3  a device, backend or optional package is not there
    ├── NetworkError             4  a download or a connection failed
    └── DataError                5  a file cannot be read, written or used
        └── RecordingError       5  a recording is truncated, foreign or unusable

A message says what was found, where, what was expected, and what to do next.
"""


class EcgkdError(Exception):
    """Base of all errors whose message is meant for the user."""

    exit_code = 70


class GateError(EcgkdError):
    """A gate or a comparison says no."""

    exit_code = 1


class UsageError(EcgkdError):
    """An argument, recipe, protocol or gallery does not fit what it is used for."""

    exit_code = 2


class LeakageError(UsageError):
    """A protocol lets people or windows of the test side into training, calibration or enrolment."""


class MissingToolError(EcgkdError):
    """A device, a backend or an optional package is not there; the message names the remedy."""

    exit_code = 3


class NetworkError(EcgkdError):
    """A download or a connection failed."""

    exit_code = 4


class DataError(EcgkdError):
    """A file cannot be read, written or used."""

    exit_code = 5


class RecordingError(DataError):
    """A recording is truncated, foreign or holds nothing usable."""
