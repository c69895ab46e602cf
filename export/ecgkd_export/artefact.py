"""One graph, what is known about it, and the files that it can become."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ecgkd_export import metadata
from ecgkd_export.errors import GraphError
from ecgkd_export.graph import Graph
from ecgkd_export.graph_hash import graph_sha256
from ecgkd_export.ort_int8 import Ranges
from ecgkd_export.tflite.emit import emit

if TYPE_CHECKING:
    import onnx

    from ecgkd_export.c99.emit import Sources

ONNX_FORMATS, TFLITE_FORMATS, C_FORMATS = ("onnx", "ort"), ("tflite",), ("c",)
FORMATS = (*ONNX_FORMATS, *TFLITE_FORMATS, *C_FORMATS)


@dataclass(frozen=True)
class Artefact:
    """One graph and what is known about it; it has no file yet, since its metadata quote its gates."""

    precision: str
    """`fp32`, `int8` or `w8`."""
    runtime: str
    """Whose numbers these are: `onnx-fp32`, `ort-int8`, `int8` (TFLite and C alike), `w8`."""
    model: "onnx.ModelProto | Graph"
    gates: dict[str, dict[str, Any]]
    """By name of the gate: `result` (`passed`, `failed`, `undecided`, `absent`) and its figures."""
    quantisation: dict[str, Any] = field(default_factory=dict)
    ranges: Ranges = field(default_factory=dict)
    """Activation ranges, with which the int8 graphs can be made again without data."""
    written: tuple[str, ...] = ()
    """Formats that it is written in, where that is not what its graph is written in most of all."""

    @property
    def graph_sha256(self) -> str:
        return graph_sha256(self.model) if isinstance(self.model, Graph) else metadata.graph_sha256(self.model)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its outputs, the embedding first."""
        if isinstance(self.model, Graph):
            return self.model.outputs
        return tuple(value.name for value in self.model.graph.output)

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats that it can be written in."""
        if self.written:
            return self.written
        return TFLITE_FORMATS if isinstance(self.model, Graph) else ONNX_FORMATS

    def file(self, format: str, metadata_of: Mapping[str, str]) -> bytes:
        """Returns the artefact as a file of `format`, metadata inside. Raises: GraphError for another format."""
        if format not in self.formats:
            raise GraphError(f"format {format!r}: the {self.runtime} graph is written as {', '.join(self.formats)}")
        if format in C_FORMATS:
            return self.c_files("network", metadata_of).source
        if isinstance(self.model, Graph):
            return emit(self.model, metadata=metadata_of, description=f"ecgkd {self.precision}")
        content = metadata.to_bytes(self.model, metadata_of)
        return content if format == "onnx" else to_ort(content)

    def c_files(
        self,
        name: str,
        metadata_of: Mapping[str, str],
        space: str | None = None,
        classes: Mapping[str, Sequence[str]] | None = None,
    ) -> "Sources":
        """Returns the int8 graph as `<name>.c` and `<name>.h`, metadata in the header; `space` binds templates.

        `classes` are the names of what further outputs score, by the output.
        """
        from ecgkd_export.c99 import emit as c99

        if not isinstance(self.model, Graph):
            raise GraphError(f"the {self.runtime} graph is not written as C")
        return c99.emit(self.model, name=name, metadata=metadata_of, space=space, classes=classes)


def to_ort(content: bytes) -> bytes:
    """Returns an ONNX file in ONNX Runtime's own format, which its mobile builds read."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4
    options.add_session_config_entry("session.save_model_format", "ORT")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.ort"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return path.read_bytes()
