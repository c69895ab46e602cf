"""The sections of a recipe. What a recipe does not say keeps the default given here."""

from dataclasses import dataclass, fields, replace

from ecgkd.errors import UsageError
from ecgkd.names import Balance, Distillation, Head, Margin, Precision

Pair = tuple[float, float]
"""(lowest, highest)."""


@dataclass(frozen=True)
class DataConfig:
    """Whose recordings."""

    sets: tuple[str, ...] = ()
    """Prepared sets, paths; `--data` takes their place."""
    protocol: str = ""
    """Protocol file; `--protocol` takes its place."""
    leads: tuple[str, ...] = ()
    """Names of the leads that the network takes, one or three, in its order; () for the first of every recording."""
    visits: float = 1.0
    """How often an epoch comes to a person, per recording of that person."""
    max_visits: int = 10
    """Visits to one person in an epoch, at most, so that a few long-recorded people do not fill it."""
    several_factor: float = 1.0
    """Factor on the visits to people with several recordings, after the limit: only they show what stays from one
    recording to the next."""
    mix_singles: bool = False
    """Whether people with one recording come one window at a time, K of them in one place of the batch, instead of K
    windows of one: windows of one short recording are nearly the same."""
    labelled_share: float = 0.0
    """Share of every batch that is kept for people with labelled activities, beside their visits, so that a few of them
    among thousands of others teach activity in every step."""

    def __post_init__(self) -> None:
        if len(self.leads) not in (0, 1, 3) or len(set(self.leads)) != len(self.leads) or not all(self.leads):
            raise UsageError(f"data.leads is {list(self.leads)}; expected the names of one lead, or of three")
        if not 0 <= self.labelled_share < 1:
            raise UsageError(f"data.labelled_share is {self.labelled_share}; expected 0 or more, less than 1")
        _above("data.visits", self.visits, 0)
        _at_least("data.max_visits", self.max_visits, 1)
        _above("data.several_factor", self.several_factor, 0)


@dataclass(frozen=True)
class ModelConfig:
    """Which network."""

    preset: str = "resnet34"
    """See `ecgkd.models.PRESETS`."""
    head: Head = Head.LINEAR
    drop_path: float = 0.1
    """Stochastic depth of a DeiT's last block, 0 … 1; ResNets ignore it."""
    start: str = ""
    """Finished run of the same network whose weights the training begins with, heads of classes left out."""
    frozen: bool = False
    """Whether what embeds stays as `start` has it, so that only the activity head learns."""

    def __post_init__(self) -> None:
        _share("model.drop_path", self.drop_path)
        if self.frozen and not self.start:
            raise UsageError("model.frozen keeps the weights of another run; name it with model.start")


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms (0 switches one off), and what shapes them. Those of distillation need a teacher."""

    ce: float = 1.0
    """Weight of the cross-entropy over identities."""
    margin: float = 0.0
    """Taken off the true class's cosine, or radians for `angular`; needs the cosine head; 0 for none."""
    margin_kind: Margin = Margin.ADDITIVE
    margin_ramp: float = 0.0
    """Epochs over which the margin rises from 0."""
    triplet: float = 1.0
    """Weight of the batch-hard triplet loss on the embedding."""
    triplet_margin: float = 0.3
    """Euclidean, on the unit sphere."""
    triplet_from: float = 0.0
    """Epochs of cross-entropy alone before the triplet loss joins: batch-hard from scratch can collapse."""
    kd_kind: Distillation = Distillation.LSKD
    kd: float = 0.0
    """Weight of logit distillation; 9 suits `lskd`, 1 suits `kd`."""
    kd_temperature: float = 2.0
    """2 suits `lskd`, 4 suits `kd`."""
    embedding: float = 0.0
    """Weight of 1 − cosine between the embeddings of student and teacher."""
    features: float = 0.0
    """Weight of the hierarchical feature alignment."""
    features_hold: float = 0.6
    """Share of the training after which the feature term declines in a straight line."""
    features_end: float = 0.1
    """What is left of its weight at the end, as a share."""
    statistics_batches: int = 100
    """Batches over which the teacher's channels are standardised before the first epoch."""
    relations: float = 0.0
    """Weight of the relational graphs of all levels."""
    relations_embedding: float = 0.0
    """Weight of the relational graph of the embeddings."""
    levels: tuple[float, ...] = (0.5, 0.75, 1.0, 1.0)
    """Relative weights of the four levels in the feature and relation terms, shallow to deep."""
    ramp: float = 2.0
    """Epochs over which all terms of distillation rise from 0."""
    activity: float = 0.0
    """Weight of the cross-entropy over activities; needs a network with a head for them (dt4ecg)."""
    activity_kd: float = 0.0
    """Weight of the distillation of activity logits, at a temperature of `kd_temperature`, on windows with a label;
    needs a teacher of activity: one of both tasks, or a second one (`--activity-teacher`)."""
    balance: Balance = Balance.FIXED
    """How identity (all other terms together) and activity share the network."""
    balance_alpha: float = 1.0
    """GradNorm: how strongly the task that has learned less is favoured; 0 for gradients of one length."""
    balance_lr: float = 0.025
    """GradNorm: how fast its weights move."""
    balance_from: float = 1.0
    """Epochs before GradNorm's weights begin to move."""
    balance_hold: float = 0.9
    """Share of the training after which they stay as they are."""

    def __post_init__(self) -> None:
        for name in ("ce", "margin", "triplet", "triplet_margin", "kd", "embedding", "features", "relations"):
            _at_least(f"loss.{name}", getattr(self, name), 0)
        for name in ("margin_ramp", "triplet_from", "ramp", "relations_embedding"):
            _at_least(f"loss.{name}", getattr(self, name), 0)
        _above("loss.kd_temperature", self.kd_temperature, 0)
        _share("loss.features_hold", self.features_hold)
        _share("loss.features_end", self.features_end)
        _at_least("loss.statistics_batches", self.statistics_batches, 1)
        if len(self.levels) != 4 or min(self.levels) < 0 or sum(self.levels) == 0:
            raise UsageError(f"loss.levels is {list(self.levels)}; expected four weights, not negative, not all 0")
        for name in ("activity", "activity_kd", "balance_alpha", "balance_lr", "balance_from"):
            _at_least(f"loss.{name}", getattr(self, name), 0)
        _share("loss.balance_hold", self.balance_hold)
        if not self.identifies and self.activity == 0:
            raise UsageError("loss: every term has weight 0; give at least loss.ce a weight")

        if self.balance != Balance.FIXED and not (self.identifies and self.activity):
            raise UsageError(f'loss.balance is "{self.balance}", which needs both tasks; give loss.activity a weight')
        if self.activity_kd and not self.activity:
            raise UsageError("loss.activity_kd needs loss.activity, the task that it helps")

    @property
    def distils(self) -> bool:
        """Whether any term needs a teacher."""
        return any((*self._of_embedding, self.activity_kd))

    @property
    def identifies(self) -> bool:
        """Whether any term teaches who it is."""
        return any((self.ce, self.triplet, *self._of_embedding))

    @property
    def _of_embedding(self) -> tuple[float, ...]:
        return self.kd, self.embedding, self.features, self.relations, self.relations_embedding


@dataclass(frozen=True)
class OptimConfig:
    """How the weights are found: AdamW, warm-up, cosine, gradient clipping, averaged weights."""

    epochs: int = 10
    lr: float = 1e-3
    """Highest learning rate."""
    lr_end: float = 0.01
    """Learning rate after the last step, as a share of `lr`."""
    warmup: float = 1.0
    """Epochs over which the learning rate rises from 0."""
    weight_decay: float = 0.05
    """Not on biases, norms and other vectors."""
    clip: float = 1.0
    """Longest gradient; 0 for no clipping."""
    ema: float = 0.999
    """Decay of the averaged weights, which are what is validated and kept; shorter in the first steps; 0 for none."""
    people: int = 32
    """People in a batch (P)."""
    windows: int = 4
    """Windows of each (K), from at least two sessions or recordings where there are."""
    micro_batches: int = 1
    """Parts of the batch with batch-norm statistics of their own, as one process each would have; all terms see
    their union."""
    precision: Precision = Precision.FLOAT32
    seed: int = 0
    threads: int = 0
    """Of the processor; 0 for PyTorch's own choice. Bit-identical resuming needs the same number."""
    patience: int = 0
    """Epochs without a better development EER after which training stops; 0 for never."""

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("people", 2), ("windows", 1), ("micro_batches", 1)):
            _at_least(f"optim.{name}", getattr(self, name), least)
        for name in ("warmup", "weight_decay", "clip", "seed", "threads", "patience"):
            _at_least(f"optim.{name}", getattr(self, name), 0)
        _above("optim.lr", self.lr, 0)
        _share("optim.lr_end", self.lr_end)
        if not 0 <= self.ema < 1:
            raise UsageError(f"optim.ema is {self.ema}; expected 0 (off) or a share below 1")
        if self.people % self.micro_batches or self.people // self.micro_batches < 2:
            raise UsageError(
                f"optim.people is {self.people}; expected a multiple of optim.micro_batches ({self.micro_batches}), "
                "two people or more in each part"
            )


@dataclass(frozen=True)
class AugmentConfig:
    """What windows suffer before the front end, in training only: probability of each, and its range."""

    amplitude_p: float = 0.5
    amplitude: Pair = (0.7, 1.4)
    """Factor."""
    wander_p: float = 0.5
    wander_uv: Pair = (50.0, 400.0)
    """Three sines of 0.05–0.5 Hz together, µV."""
    muscle_p: float = 0.5
    muscle_db: Pair = (6.0, 24.0)
    """Signal to noise, dB; noise above 20 Hz."""
    motion_p: float = 0.3
    motion_db: Pair = (6.0, 18.0)
    """Signal to noise, dB; slow noise with one to three steps."""
    mains_p: float = 0.3
    mains_uv: Pair = (0.0, 30.0)
    """50 or 60 Hz, µV."""
    mask_p: float = 0.3
    mask_seconds: Pair = (0.05, 0.4)
    """One or two spans that a straight line bridges, s."""
    warp_p: float = 0.3
    warp: float = 0.08
    """Largest relative stretch of time; more would change how wide a QRS is."""
    lead_p: float = 0.5
    lead_mix: float = 0.3
    """Largest share of each further lead that is added to the first, with either sign: shifted electrodes."""
    lowpass_p: float = 0.3
    lowpass_hz: Pair = (25.0, 40.0)
    """Corner of the device, Hz."""
    adc_p: float = 0.2
    adc_bits: Pair = (8.0, 12.0)
    """Resolution of a converter over ten times the window's span, bits."""
    spare_labelled: bool = False
    """Whether windows that teach an activity suffer neither wander nor muscle noise nor motion: activities look like
    these."""

    @property
    def spared(self) -> "AugmentConfig":
        """What is left for windows whose activity must stay what it looks like."""
        return replace(self, wander_p=0.0, muscle_p=0.0, motion_p=0.0)

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, bool):
                continue
            if one.name.endswith("_p") or one.name in ("warp", "lead_mix"):
                _share(f"augment.{one.name}", value)
            elif value[0] > value[1]:
                raise UsageError(f"augment.{one.name} is {list(value)}; expected [lowest, highest]")


def _at_least(key: str, value: float, least: float) -> None:
    if not value >= least:
        raise UsageError(f"{key} is {value}; expected {least} or more")


def _above(key: str, value: float, bound: float) -> None:
    if not value > bound:
        raise UsageError(f"{key} is {value}; expected more than {bound}")


def _share(key: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UsageError(f"{key} is {value}; expected 0 to 1")
