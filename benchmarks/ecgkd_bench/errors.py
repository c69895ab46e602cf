"""Errors that a user can mend; the caller turns each into one line and the exit code.

BenchError         70  base; raised itself only for what should not happen
├── OutputError     1  a model gives something else on the device than its file does here
├── MismatchError   2  records that cannot be compared, a model that no backend runs
├── DeviceError     3  a device or backend is not there, or a run on it died
├── RecordError     5  a benchmark record cannot be read
└── TransferError   5  a file cannot be brought to or from a device
"""


class BenchError(Exception):
    """Base of all errors whose message is meant for the user."""

    exit_code = 70


class OutputError(BenchError):
    """A model gives something else on the device than its file does here."""

    exit_code = 1


class MismatchError(BenchError):
    """Records that cannot be compared, or a model that no backend runs."""

    exit_code = 2


class DeviceError(BenchError):
    """A device or a backend is not there, or a run on it died; the message says what it printed last."""

    exit_code = 3


class RecordError(BenchError):
    """A benchmark record cannot be read or is not one."""

    exit_code = 5


class TransferError(BenchError):
    """A file cannot be brought to or from a device, or the device has no room for what a run writes."""

    exit_code = 5
