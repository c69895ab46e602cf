"""The networks of finished runs, and those that a student learns from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from ecgkd.config import Recipe
from ecgkd.errors import UsageError
from ecgkd.models import build_model, without_classifier
from ecgkd.training.checkpoint import WEIGHTS, load_weights
from ecgkd.training.run_directory import RunInfo, read_info


@dataclass
class Teacher:
    """The frozen network that a student learns from."""

    model: nn.Module
    info: RunInfo

    @property
    def folder(self) -> str:
        return str(self.info.path.resolve())


def open_teachers(
    teacher: Path | None,
    activity_teacher: Path | None,
    recipe: Recipe,
    classes: Sequence[str],
    activities: Sequence[str],
) -> tuple[Teacher | None, Teacher | None]:
    """Returns the networks that are learned from: one for what the recipe distils, one for activity alone if named.

    Raises: UsageError where one is missing, has nothing to teach, or cannot give what the recipe asks for.
    """
    loss = recipe.loss
    if activity_teacher is not None and not loss.activity_kd:
        raise UsageError(f"{recipe.name}: a teacher of activities teaches nothing; give loss.activity_kd a weight")
    of_activity = None
    if activity_teacher is not None:
        of_activity = _open_activity_teacher(activity_teacher, activities, recipe.data.leads)
    if of_activity is not None:
        recipe = replace(recipe, loss=replace(loss, activity_kd=0.0))
    if not recipe.loss.distils:
        return None, of_activity
    if teacher is None:
        raise UsageError(f"{recipe.name}: its loss has terms of distillation; name a teacher with --teacher RUN")
    return open_teacher(teacher, recipe, classes, activities), of_activity


def _open_activity_teacher(path: Path, activities: Sequence[str], leads: Sequence[str]) -> Teacher:
    info = read_info(path)
    _check_activities(info, activities)
    return Teacher(_frozen(load_network(info), info, leads), info)


def _frozen(model: nn.Module, info: RunInfo, leads: Sequence[str]) -> nn.Module:
    """Returns a teacher's network, which sees of a student's `leads` those that it was trained on.

    One that takes the first lead of any recording sees the student's first. Raises: UsageError where the student lacks
    a lead.
    """
    wanted = info.recipe.data.leads or leads[:1]
    lacking = [lead for lead in wanted if lead not in leads]
    if lacking:
        here = ", ".join(leads) or "the first lead of any recording"
        raise UsageError(
            f"{info.path}: sees the lead {lacking[0]}, this training has {here}; name its leads in data.leads too"
        )
    if tuple(wanted) != tuple(leads):
        rows = [list(leads).index(lead) for lead in wanted]
        model.register_forward_pre_hook(lambda _, given: (given[0][:, rows], *given[1:]))
    return model.requires_grad_(False).eval()


def n_leads(recipe: Recipe) -> int:
    """Returns how many leads the recipe's network takes."""
    return len(recipe.data.leads) or 1


def _check_activities(info: RunInfo, activities: Sequence[str]) -> None:
    if info.activities != tuple(activities):
        raise UsageError(
            f"{info.path}: knows the activities {', '.join(info.activities) or '(none)'}, this training has "
            f"{', '.join(activities) or '(none)'}; train a teacher on these or set loss.activity_kd=0"
        )


def open_teacher(path: Path, recipe: Recipe, classes: Sequence[str], activities: Sequence[str] = ()) -> Teacher:
    """Returns the trained network of a run. Raises: UsageError where the recipe asks for what it cannot give."""
    info = read_info(path)
    if recipe.loss.kd and info.classes != tuple(classes):
        raise UsageError(
            f"{path}: trained on other people ({len(info.classes)}) than this protocol's ({len(classes)}), so its "
            "logits mean nothing here; train a teacher on this protocol or set loss.kd=0"
        )
    if recipe.loss.activity_kd:
        _check_activities(info, activities)
    model = load_network(info, with_classes=bool(recipe.loss.kd))
    return Teacher(_frozen(model, info, recipe.data.leads), info)


def load_network(info: RunInfo, with_classes: bool = False) -> nn.Module:
    """Returns the network of a finished run with its weights, in evaluation mode."""
    state = load_weights(info.path / WEIGHTS)
    model = build_network(info.recipe, len(info.classes) if with_classes else 0, len(info.activities))
    try:
        model.load_state_dict(state if with_classes else without_classifier(state))
    except RuntimeError as error:
        raise UsageError(f"{info.path}: its weights do not fit {info.recipe.model.preset}: {error}") from error
    return model.eval()


def build_network(recipe: Recipe, n_classes: int, n_activities: int) -> nn.Module:
    """Returns a fresh network of `recipe`, with the classifiers that its loss needs."""
    loss, model = recipe.loss, recipe.model
    return build_model(
        model.preset,
        n_classes if loss.ce or loss.kd else 0,
        head=str(model.head),  # type: ignore[arg-type]
        drop_path=model.drop_path,
        distil_head=bool(loss.kd),
        n_leads=n_leads(recipe),
        n_activities=n_activities,
    )
