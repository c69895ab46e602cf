"""What is known about the people and recordings of certain sets beyond what their columns say."""

from ecgkd.data.prepared import PreparedSet

PARTS = "parts of one long recording: easier than another recording of the same day"
_PARTED = ("10.13026/C2F305",)
"""Sources whose records are parts of one recording each."""
_SAME_PEOPLE = {"10.13026/C2F305": (("201", "202"),)}
"""Records of one person under two names, by source: MIT-BIH's documentation says so of 201 and 202."""
_VARIANTS = {"Session-3L": "L"}
"""Recordings of a session made under another task, by how their names start: Heartprint's reading aloud."""


def source_of(one: PreparedSet) -> str:
    """Returns what tells that two sets come from one database: the DOI, else the first word of its name."""
    return str(one.info.get("doi") or str(one.info.get("name") or one.name).split()[0])


def is_pool(one: PreparedSet) -> bool:
    """Returns whether the set's subjects are recordings, as nobody knows whose they are: good for training only."""
    return one.info.get("subject_is") == "record" or "subject is the record" in str(one.info.get("notes", ""))


def pooled_sources(sets: list[PreparedSet]) -> set[str]:
    """Returns the sources of which a pool is among `sets`: nobody of these counts as unseen once the pool trains."""
    return {source_of(one) for one in sets if is_pool(one)}


def variant_of(record: str) -> str:
    """Returns "" for an ordinary recording of its session, a letter for one made under another task."""
    return next((letter for start, letter in _VARIANTS.items() if record.startswith(start)), "")


def recorded_in_parts(one: PreparedSet) -> bool:
    """Returns whether the set's recordings are parts of longer ones."""
    return source_of(one) in _PARTED


def split_people(one: PreparedSet) -> list[tuple[str, str]]:
    """Returns (record, record) of one person that the set lists under two subjects."""
    found = []
    for names in _SAME_PEOPLE.get(source_of(one), ()):
        # A record may be named after its source with a folder or a part: 201, mitdb/201, 201/0.
        rows = [i for i, record in enumerate(one.record) if set(str(record).split("/")) & set(names)]
        first = next((i for i in rows if one.subject[i] != one.subject[rows[0]]), None)
        if first is not None:
            found.append((str(one.record[rows[0]]), str(one.record[first])))
    return found
