"""The folder of an evaluation: results.json, table.md, plots/*.svg, all or none."""

from pathlib import Path

from ecgkd.errors import MissingToolError
from ecgkd.evaluation.plots import all_plots
from ecgkd.evaluation.results import Evaluation
from ecgkd.evaluation.table import as_markdown
from ecgkd.files import atomic_folder, write_bytes, write_json


def write_evaluation(out: Path, evaluation: Evaluation) -> None:
    """Writes the folder in place of an older one; without matplotlib, without plots. Raises: DataError."""
    try:
        plots = all_plots(evaluation)
    except MissingToolError:
        plots = {}
    with atomic_folder(out) as folder:
        write_json(folder / "results.json", evaluation.to_dict())
        write_bytes(folder / "table.md", as_markdown(evaluation).encode())
        write_bytes(folder / "headline.md", as_markdown(evaluation, all_cells=False).encode())
        for name, text in plots.items():
            write_bytes(folder / "plots" / name, text.encode())
