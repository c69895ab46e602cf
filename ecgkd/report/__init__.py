"""One self-contained HTML page of a run: what was trained on whom, the evidence, the artefacts, the cost."""
