"""Runtimes that the worker can measure; imported on the device."""

import json
import os
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ecgkd_bench import static_runner
from ecgkd_bench.errors import DeviceError, MismatchError
from ecgkd_bench.loaded import Loaded

BACKENDS = {"onnxruntime": (".onnx", ".ort"), "litert": (".tflite",), "torch": (".pt2",), "c99": (".c",)}
"""File endings by backend."""
MODULES = {"litert": ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")}
"""What is imported for a backend, the first that is installed; else the backend's own name."""


def backend_for(path: Path) -> str:
    """Returns the backend that runs files like `path`. Raises: MismatchError where none does."""
    for backend, endings in BACKENDS.items():
        if path.suffix in endings:
            return backend
    known = ", ".join(ending for endings in BACKENDS.values() for ending in endings)
    raise MismatchError(f"{path}: no backend runs {path.suffix or 'this'} files; known: {known}")


def installed() -> list[str]:
    """Returns the backends whose runtime this Python has."""
    return [name for name in BACKENDS if any(_there(module) for module in MODULES.get(name, (name,)))]


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package
        return False


def import_backend(backend: str) -> Any:
    """Returns the runtime's module, imported, and nothing else; a static runner brings its own.

    Raises: DeviceError where it is not installed.
    """
    if backend == "c99":
        return None
    names = MODULES.get(backend, (backend,))
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    wanted = " or ".join(name.partition(".")[0] for name in names)
    raise DeviceError(f"{wanted} is not installed on the device; it is needed to run these models")


def load(backend: str, path: str, threads: int) -> Loaded:
    """Returns the model at `path`, loaded. Raises: DeviceError where the runtime is absent or refuses the file."""
    if backend == "c99":
        return static_runner.load(path)
    import_backend(backend)
    loaders = {"torch": _load_torch, "litert": _load_litert, "onnxruntime": _load_onnxruntime}
    try:
        return loaders[backend](path, threads)
    except Exception as error:
        raise DeviceError(f"{Path(path).name}: {backend} refuses it ({str(error).splitlines()[0]})") from error


def operator_times(path: str, threads: int, runs: int = 30) -> dict[str, float]:
    """Returns ms per inference by kind of operator, from ONNX Runtime's own profile."""
    import onnxruntime

    with TemporaryDirectory() as folder:
        options = _onnxruntime_options(threads)
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(folder, "profile")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        feed = _feed(session)
        for _ in range(runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[str, float] = {}
    for event in events:
        if event.get("cat") == "Node" and event.get("name", "").endswith("_kernel_time"):
            kind = event["args"]["op_name"]
            times[kind] = times.get(kind, 0.0) + event["dur"] / 1000 / runs
    return dict(sorted(times.items(), key=lambda item: -item[1]))


def _load_onnxruntime(path: str, threads: int) -> Loaded:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, _onnxruntime_options(threads), providers=["CPUExecutionProvider"])
    feed = _feed(session)
    effective = int(session.get_session_options().intra_op_num_threads)
    provider = session.get_providers()[0]
    names = [one.name for one in session.get_outputs()]

    def outputs() -> list[dict[str, Any]]:
        return [_said(name, values) for name, values in zip(names, session.run(None, feed), strict=True)]

    return Loaded(
        lambda: session.run(None, feed),
        f"onnxruntime {provider}",
        onnxruntime.__version__,
        effective,
        outputs=outputs,
    )


def _said(name: str, values: Any) -> dict[str, Any]:
    return {"name": name, "values": [float(value) for value in values.ravel()]}


def _onnxruntime_options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def _feed(session: Any) -> dict[str, Any]:
    given = session.get_inputs()
    shapes = ([axis if isinstance(axis, int) else 1 for axis in one.shape] for one in given)
    windows = float_noise(*shapes)
    return {one.name: window for one, window in zip(given, windows, strict=True)}


def float_noise(*shapes: Any) -> list[Any]:
    """Returns windows of float noise, the same every time."""
    import numpy as np

    noise = np.random.default_rng(0)
    return [noise.standard_normal(shape).astype(np.float32) for shape in shapes]


def integer_noise(shape: Any, dtype: Any) -> Any:
    """Returns a window of the same noise in steps of 1/32."""
    import numpy as np

    return np.clip(np.rint(32 * np.random.default_rng(0).standard_normal(shape)), -128, 127).astype(dtype)


def _load_litert(path: str, threads: int) -> Loaded:
    """Loads a TFLite file with its default kernels (XNNPACK), float or integer at both ends."""
    import numpy as np

    runtime = import_backend("litert")
    interpreter = runtime.Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    if given["dtype"] == np.float32:
        (window,) = float_noise(given["shape"])
    else:
        window = integer_noise(given["shape"], given["dtype"])
    place, details = given["index"], interpreter.get_output_details()
    taken = [one["index"] for one in details]

    def run() -> Any:
        interpreter.set_tensor(place, window)
        interpreter.invoke()
        return [interpreter.get_tensor(output) for output in taken]

    def outputs() -> list[dict[str, Any]]:
        return [_said(one["name"], values) for one, values in zip(details, run(), strict=True)]

    package = runtime.__name__.partition(".")[0].replace("_", "-")
    return Loaded(run, f"{package} XNNPACK", version(package), threads, outputs=outputs)


def _load_torch(path: str, threads: int) -> Loaded:
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    program = torch.export.load(path)
    (example,), _ = program.example_inputs or ((torch.zeros(1, 1, 1000),), {})
    window = torch.from_numpy(np.random.default_rng(0).standard_normal(example.shape).astype(np.float32))
    module = program.module()

    def run() -> Any:
        with torch.inference_mode():
            return module(window)

    def outputs() -> list[dict[str, Any]]:
        found = run()
        return [_said("", one.numpy()) for one in (found if isinstance(found, tuple | list) else (found,))]

    return Loaded(run, "torch eager", torch.__version__, torch.get_num_threads(), outputs=outputs)
