"""Errors that a user can mend; the caller turns each into one line and the exit code.

ExportError                70  base; raised itself only for what should not happen
├── GraphError              2  a network or ONNX graph that cannot be converted
├── MissingPackageError     3  an optional package is not installed
└── ArtefactError           5  an artefact cannot be read or is not what it says
"""


class ExportError(Exception):
    """Base of all errors whose message is meant for the user."""

    exit_code = 70


class GraphError(ExportError):
    """A network or ONNX graph cannot be converted; the message names the part."""

    exit_code = 2


class MissingPackageError(ExportError):
    """An optional package is not installed; the message names the remedy."""

    exit_code = 3


class ArtefactError(ExportError):
    """An artefact cannot be read or is not what it says."""

    exit_code = 5


def missing(error: ModuleNotFoundError) -> MissingPackageError:
    """Returns the error to raise where an import failed with `error`."""
    return MissingPackageError(
        f"exporting needs {error.name}, which is not installed; type: pip install 'ecgkd[export]'"
    )
