import numpy as np
import pytest

from ecgkd.errors import RecordingError
from ecgkd.record import Record, to_integer_microvolts


def test_a_record_knows_its_length_and_leads():
    record = Record(np.zeros((2, 500), np.float32), 250.0, ("I", "II"), "a")
    assert (record.n_samples, record.seconds) == (500, 2.0)
    assert (record.lead_index(None), record.lead_index("II")) == (0, 1)


def test_a_missing_lead_is_refused_with_the_ones_there():
    with pytest.raises(RecordingError, match="no lead 'V1'; it has I, II"):
        Record(np.zeros((2, 5), np.float32), 250.0, ("I", "II"), "a").lead_index("V1")


def test_signal_and_lead_names_must_fit():
    with pytest.raises(RecordingError, match="does not fit 1 lead name"):
        Record(np.zeros((2, 5), np.float32), 250.0, ("I",), "a")


def test_microvolts_round_half_to_even():
    assert to_integer_microvolts(np.array([0.5, 1.5, -0.5, -1.5, 2.4])).tolist() == [0, 2, 0, -2, 2]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_samples_are_counted(bad):
    with pytest.raises(RecordingError, match="1 sample"):
        to_integer_microvolts(np.array([0.0, bad]))


def test_an_absurd_amplitude_asks_for_the_gain():
    with pytest.raises(RecordingError, match="is the gain right"):
        to_integer_microvolts(np.array([1e9]))


def test_leads_are_taken_by_name_in_the_order_asked_for():
    record = Record(np.arange(15, dtype=np.float32).reshape(3, 5), 250.0, ("I", "II", "V1"), "a")

    assert record.of_leads().tolist() == [0, 1, 2, 3, 4]
    assert record.of_leads(["V1"]).tolist() == [10, 11, 12, 13, 14]
    assert record.of_leads(["V1", "I"])[:, 0].tolist() == [10, 0]
    with pytest.raises(RecordingError, match="no lead 'V2'; it has I, II, V1"):
        record.of_leads(["I", "V2"])
