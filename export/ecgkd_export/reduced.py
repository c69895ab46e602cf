"""The operators and types that a model in ONNX Runtime's own format needs: what a custom build of it is cut down to."""

import logging
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from ecgkd_export.errors import ArtefactError, missing


def required_operators(content: bytes, name: str) -> str:
    """Returns ONNX Runtime's configuration of a reduced build, by its own tool, for the `.ort` file `name`.

    Types included (`build.py --include_ops_by_config FILE --enable_reduced_operator_type_support`).
    Raises: ArtefactError where the file is not one of ONNX Runtime's.
    """
    try:
        from onnxruntime.tools.ort_format_model import create_config_from_models
    except ModuleNotFoundError as error:
        raise missing(error) from error
    disabled = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # the tool leaves the file open
            model, config = Path(folder) / name, Path(folder) / "operators.config"
            model.write_bytes(content)
            create_config_from_models([model], config, True)
            text = config.read_text(encoding="utf-8").replace(str(model), name)
    except Exception as error:  # its reader of flatbuffers raises whatever the bytes lead it to
        raise ArtefactError(f"{name}: no model of ONNX Runtime's own format ({type(error).__name__})") from error
    finally:
        logging.disable(disabled)
    return text
