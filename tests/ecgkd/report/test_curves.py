from dataclasses import dataclass, field

from ecgkd.report.curves import learning_curves


@dataclass
class Learned:
    """As much of a run as is drawn."""

    name: str = "dt4ecg_cpu"
    what: str = "student alone"
    history: dict[str, list[float | None]] = field(default_factory=dict)


def titles(**history: list[float | None]) -> list[str]:
    return [figure.caption for figure in learning_curves([Learned(history=history)])]  # type: ignore[list-item]


def test_the_balance_of_two_tasks_is_drawn_beside_their_losses():
    both = {f"{key}.{task}": [1.0, 0.8] for key in ("balance", "norm") for task in ("identity", "activity")}

    found = titles(ce=[2.0, 1.0], activity=[1.6, 1.2], **both)

    assert [words.split(": ")[1].split(",")[0] for words in found] == [
        "loss terms",
        "weights of the two tasks",
        "gradients of the weighted tasks at the last layer that both share",
    ]


def test_a_single_task_has_no_balance():
    assert len(titles(ce=[2.0, 1.0])) == 1
