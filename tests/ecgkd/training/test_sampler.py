from dataclasses import replace

import numpy as np
import pytest

from ecgkd.config import DataConfig, OptimConfig
from ecgkd.errors import UsageError
from ecgkd.training.dataset import Stretches
from ecgkd.training.sampler import Sampler


def stretches(*people: tuple[int, ...]) -> Stretches:
    """Returns one stretch of a recording for each session number of each person."""
    subject = np.array([n for n, sessions in enumerate(people) for _ in sessions])
    session = np.array([number for sessions in people for number in sessions])
    n = len(subject)
    names = tuple(f"p{n}" for n in range(len(people)))
    zeros, lengths = np.zeros(n, np.int64), np.full(n, 5000)
    return Stretches(names, (None,), subject, zeros, np.arange(n), session, zeros, lengths)  # type: ignore[arg-type]


MANY = stretches(*[(1,)] * 20, *[(1, 1, 2, 3)] * 6)


def sampler(of: Stretches = MANY, people: int = 8, windows: int = 4, seed: int = 0, **data) -> Sampler:
    return Sampler(of, DataConfig(**data), OptimConfig(people=people, windows=windows, seed=seed))


def test_a_batch_holds_k_windows_of_each_of_p_people():
    for draw in sampler().batches(0):
        people = MANY.subject[draw.stretch].reshape(8, 4)
        assert (people == people[:, :1]).all()
        assert ((draw.place >= 0) & (draw.place < 1)).all()


def test_people_are_visited_once_per_recording_in_an_epoch_and_no_more_than_allowed():
    assert sampler().visits.tolist() == [1] * 20 + [4] * 6
    assert sampler(max_visits=3).visits.tolist() == [1] * 20 + [3] * 6
    assert sampler(visits=2.0).visits.tolist() == [2] * 20 + [8] * 6
    assert sampler().n_batches == 44 // 8


def test_no_batch_holds_a_person_twice_while_there_are_others():
    for epoch in range(5):
        for draw in list(sampler().batches(epoch))[:-1]:
            assert len(np.unique(MANY.subject[draw.stretch])) == 8


def test_windows_of_a_person_come_from_as_many_sessions_as_there_are():
    of = stretches(*[(1, 1, 1, 2, 2, 3)] * 8)

    for draw in sampler(of, windows=3).batches(0):
        sessions = of.session[draw.stretch].reshape(8, 3)
        assert all(len(set(row)) == 3 for row in sessions.tolist())


def test_recordings_are_not_repeated_before_all_had_their_turn():
    of = stretches(*[(1, 1, 2, 2)] * 8)

    for draw in sampler(of).batches(0):
        assert all(len(set(row)) == 4 for row in draw.stretch.reshape(8, 4).tolist())


def test_windows_of_a_single_recording_are_spread_over_it():
    of = stretches(*[(1,)] * 8)

    for draw in sampler(of, windows=4).batches(0):
        quarters = np.sort((draw.place.reshape(8, 4) * 4).astype(int), axis=1)
        np.testing.assert_array_equal(quarters, np.tile(np.arange(4), (8, 1)))


def test_an_epoch_depends_on_seed_and_number_alone():
    def drawn(seed: int, epoch: int) -> list[int]:
        return np.concatenate([draw.stretch for draw in sampler(seed=seed).batches(epoch)]).tolist()

    assert drawn(0, 3) == drawn(0, 3)
    assert drawn(0, 3) != drawn(0, 4)
    assert drawn(0, 3) != drawn(1, 3)


def test_visits_to_one_person_are_spread_over_the_epoch():
    of = stretches(*[(1,)] * 56, *[(1,) * 8])
    seen = [56 in of.subject[draw.stretch] for draw in sampler(of).batches(0)]

    assert sum(seen) >= 7


def test_too_few_visits_for_one_batch_are_refused():
    with pytest.raises(UsageError, match="less than one batch of 64"):
        sampler(people=64)


def test_people_with_several_recordings_can_be_visited_more_often():
    assert sampler(several_factor=3.0, max_visits=3).visits.tolist() == [1] * 20 + [9] * 6


def test_people_with_one_recording_can_share_a_place_in_the_batch():
    of = stretches(*[(1,)] * 40, *[(1, 2)] * 6)
    drawn = list(sampler(of, mix_singles=True, several_factor=2.0).batches(0))
    places = np.concatenate([of.subject[draw.stretch].reshape(8, 4) for draw in drawn])
    of_one = (places == places[:, :1]).all(axis=1)

    assert (places[of_one] >= 40).all()
    assert all(len(set(row)) == 4 for row in places[~of_one].tolist())
    assert len(places) == (40 + 6 * 4) // 8 * 8


def test_sharing_places_changes_nothing_in_how_many_windows_an_epoch_has():
    of = stretches(*[(1,)] * 40, *[(1, 2)] * 6)

    assert sampler(of, mix_singles=True).n_batches == sampler(of).n_batches


def labelled(share: float, people: int = 8, seed: int = 0) -> tuple[Stretches, Sampler]:
    """Returns forty people of one recording, three of whom have labels, and a sampler that keeps room for these."""
    of = stretches(*[(1,)] * 40)
    of = replace(of, activity=np.where(np.isin(of.subject, (3, 20, 39)), 1, -1), activities=("rest", "walk"))
    return of, sampler(of, people=people, windows=2, seed=seed, labelled_share=share)


def test_every_batch_keeps_room_for_people_with_labels():
    of, plan = labelled(0.25)

    batches = list(plan.batches(0))

    assert len(batches) == 40 // 6  # an epoch is as long as the visits to everybody take in what room is left
    kept = [of.subject[draw.stretch].reshape(8, 2)[6:, 0] for draw in batches]
    assert all(set(two.tolist()) < {3, 20, 39} for two in kept)
    assert np.bincount(np.concatenate(kept), minlength=40)[[3, 20, 39]].tolist() == [4, 4, 4]


def test_kept_room_changes_nothing_where_none_is_kept_and_needs_labels():
    of, plan = labelled(0.0)
    plain = sampler(replace(of, activity=None), windows=2)
    for mine, its in zip(plan.batches(3), plain.batches(3), strict=True):
        np.testing.assert_array_equal(mine.stretch, its.stretch)

    with pytest.raises(UsageError, match="nobody trains with one"):
        sampler(stretches(*[(1,)] * 40), labelled_share=0.2)
    with pytest.raises(UsageError, match="less than 1"):
        DataConfig(labelled_share=1.0)


def test_kept_places_are_drawn_from_the_seed_alone():
    _, plan = labelled(0.5, seed=4)
    first, again = list(plan.batches(1)), list(labelled(0.5, seed=4)[1].batches(1))
    for mine, its in zip(first, again, strict=True):
        np.testing.assert_array_equal(mine.stretch, its.stretch)
        np.testing.assert_array_equal(mine.place, its.place)
