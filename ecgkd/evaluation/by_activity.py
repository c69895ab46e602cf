"""Error rates of identity by what the probe shows, where a row's probes show several activities."""

from collections.abc import Sequence

import numpy as np

from ecgkd.data.prepared import PreparedSet
from ecgkd.evaluation.bootstrap import draw_people, interval, people_of, resample
from ecgkd.evaluation.material import View
from ecgkd.evaluation.results import ByActivity
from ecgkd.evaluation.scores import Comparisons
from ecgkd.protocols.trials import named


def by_activity(
    view: View, size: tuple[int, int], score: str, sets: Sequence[PreparedSet], replicates: int
) -> tuple[ByActivity, ...]:
    """Returns the EER of the probes of each activity, () where the probes of a row show fewer than two.

    Enrolment and gallery are the whole row's. `size` is enrolment × probe windows.
    """
    by_name, windows = named(sets), view.row.probe.windows
    shown = np.array([str(by_name[name].activity[i]) for name, i in windows.recordings])
    if len(set(shown[np.unique(windows.recording)]) - {""}) < 2:
        return ()
    found = view.comparisons(*size, score == "as_norm")
    if found is None:
        return ()
    of_probe = shown[windows.recording[view.groups(*size)[1].windows[:, 0]]]
    figures = []
    for activity in sorted(set(of_probe.tolist()) - {""}):
        mine = of_probe == activity
        part = Comparisons(found.scores[mine], found.probe_subject[mine], found.template_subject)
        people = np.intersect1d(part.probe_subject, part.template_subject)
        if not len(people) or part.genuine.all():
            continue
        drawn = resample(part, draw_people(len(people_of(part)), replicates))
        figures.append(
            ByActivity(activity, interval(drawn.curve.eer(), drawn.eer, len(people)), len(people), int(mine.sum()))
        )
    return tuple(figures)
