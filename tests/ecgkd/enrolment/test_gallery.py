import json
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ecgkd.enrolment.cohort import cohort_of
from ecgkd.enrolment.decision import make_template
from ecgkd.enrolment.gallery import Gallery, Person, locked, store
from ecgkd.enrolment.template import normalise
from ecgkd.errors import DataError, UsageError


def person(seed: int = 0, cohort=None) -> Person:
    vector = normalise(np.random.default_rng(seed).integers(-9000, 9000, (1, 64)))[0]
    name = cohort.name if cohort else ""
    return Person(make_template(vector, cohort), name, 8, 2, 32.0, 0.81, "2026-01-02T03:04:05+00:00")


@pytest.fixture
def gallery(contract):
    return Gallery.empty(contract(), "/models/toy")


def test_what_is_saved_is_loaded(gallery, tmp_path):
    gallery.add("ada", person(1))
    gallery.add("Zoë 李", person(2))
    gallery.save(tmp_path / "g.json")
    loaded = Gallery.load(tmp_path / "g.json")
    assert list(loaded.people) == ["Zoë 李", "ada"]
    assert loaded.people["ada"].to_dict() == gallery.people["ada"].to_dict()
    assert (loaded.embedding_space, loaded.model, loaded.model_path) == ("toy-space", "toy", "/models/toy")


def test_the_file_keeps_one_vector_a_person_and_nothing_else_of_that_length(gallery, tmp_path):
    gallery.add("ada", person())
    gallery.save(tmp_path / "g.json")
    entry = json.loads((tmp_path / "g.json").read_text())["people"]["ada"]
    assert [key for key, value in entry.items() if isinstance(value, list)] == ["template"]


def test_a_new_gallery_is_its_owners_alone_and_an_older_one_keeps_its_mode(gallery, tmp_path):
    path = tmp_path / "g.json"
    gallery.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    gallery.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("change", ["flip", "cut", "name", "empty", "foreign", "not_utf8"])
def test_a_changed_gallery_is_refused(gallery, tmp_path, change):
    path = tmp_path / "g.json"
    gallery.add("ada", person())
    gallery.save(path)
    content = path.read_bytes()
    at = content.index(b'"windows":') + 10
    damaged = {
        "flip": content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
        "cut": content[: len(content) // 2],
        "name": content.replace(b'"ada"', b'"bob"'),
        "empty": b"",
        "foreign": b'{"x": [1, 2]}',
        "not_utf8": content.replace(b'"ada"', b'"\xff\xfe"'),
    }
    path.write_bytes(damaged[change])
    with pytest.raises(DataError, match=r"g\.json") as caught:
        Gallery.load(path)
    assert caught.value.exit_code == 5


def test_a_template_of_another_length_is_refused_even_with_a_right_checksum(gallery, tmp_path):
    gallery.add("ada", person())
    gallery.embedding_size = 65
    gallery.save(tmp_path / "g.json")
    with pytest.raises(DataError, match="not what a gallery holds"):
        Gallery.load(tmp_path / "g.json")


def test_an_absent_gallery_and_a_newer_version_are_refused(gallery, tmp_path):
    with pytest.raises(DataError, match="no such gallery"):
        Gallery.load(tmp_path / "g.json")
    (tmp_path / "g.json").write_text('{"format": "ecgkd-gallery", "version": 2}')
    with pytest.raises(UsageError, match="version 2; this ecgkd reads version 1"):
        Gallery.load(tmp_path / "g.json")


def test_another_model_is_refused_naming_both_spaces(gallery, contract):
    with pytest.raises(UsageError, match=r"toy-space, the model given is other in another-space") as caught:
        gallery.check_model(contract(model="other", embedding_space="another-space"))
    assert caught.value.exit_code == 2


def test_an_unknown_person_is_refused_with_those_known(gallery):
    with pytest.raises(UsageError, match="known: nobody yet"):
        gallery.person("ada")
    gallery.add("ada", person())
    gallery.add("bob", person(1))
    with pytest.raises(UsageError, match="'eve' is enrolled; known: ada, bob"):
        gallery.person("eve")


@pytest.mark.parametrize("name", ["", "  ", " ada", "a\nb", "x" * 101])
def test_what_is_no_name_is_refused(gallery, name):
    with pytest.raises(UsageError, match="no name for a person"):
        gallery.add(name, person())


def test_an_enrolled_person_is_replaced_only_on_demand(gallery):
    gallery.add("ada", person(1))
    with pytest.raises(UsageError, match="enrolled already"):
        gallery.add("ada", person(2))
    gallery.add("ada", person(2), replace=True)
    assert gallery.people["ada"].template.vector.tolist() == person(2).template.vector.tolist()


def test_statistics_of_another_cohort_are_computed_anew(contract):
    rows = np.random.default_rng(0).integers(-90, 90, (12, 64)).tolist()
    old = cohort_of(contract(cohort=tuple(map(tuple, rows[:6]))))
    new = cohort_of(contract(cohort=tuple(map(tuple, rows))))
    enrolled = person(cohort=old)
    assert enrolled.template_for(old) is enrolled.template
    assert enrolled.template_for(new).mean == make_template(enrolled.template.vector, new).mean
    assert enrolled.template_for(None) is enrolled.template


def test_a_failed_write_leaves_no_litter(gallery, tmp_path):
    (tmp_path / "g.json").mkdir()
    with pytest.raises(DataError, match=r"cannot write .*g\.json"):
        gallery.save(tmp_path / "g.json")
    assert [p.name for p in tmp_path.iterdir()] == ["g.json"]


def test_a_second_writer_waits_and_then_gives_up(tmp_path):
    path = tmp_path / "g.json"
    with locked(path), pytest.raises(DataError, match="another process"), locked(path, seconds=0.1):
        pass
    with locked(path):
        pass
    assert not list(tmp_path.iterdir())


def test_writers_at_the_same_time_lose_nobody(contract, tmp_path):
    path = tmp_path / "g.json"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: store(path, contract(), "", f"p{i:02}", person(i)), range(20)))
    assert sorted(Gallery.load(path).people) == [f"p{i:02}" for i in range(20)]
    assert [p.name for p in tmp_path.iterdir()] == ["g.json"]


def test_storing_into_a_gallery_of_another_model_changes_nothing(contract, tmp_path):
    path = tmp_path / "new" / "g.json"
    store(path, contract(), "", "ada", person())
    before = path.read_bytes()
    with pytest.raises(UsageError, match="another model"):
        store(path, contract(embedding_space="other"), "", "bob", person(1))
    assert path.read_bytes() == before
