"""The ledger of looks at locked people: which networks were scored on them, in order.

Every network that is scored on locked people makes their next score a little less of a test; so they are counted. The
ledger lies beside the protocol file. A network counts once, however often it is scored.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ecgkd.errors import DataError
from ecgkd.evaluation.evaluate import Candidate
from ecgkd.files import read_json, write_json
from ecgkd.protocols.protocol import Protocol

VERSION = 1


@dataclass(frozen=True)
class Look:
    """One network."""

    utc: str
    """When it was first scored, ISO 8601."""
    model: str
    weights_sha256: str


def ledger_of(protocol: Path) -> Path:
    """Returns where the ledger of a protocol file lies."""
    return protocol.with_suffix(".looks.json")


def read_looks(ledger: Path, protocol_sha256: str) -> list[Look]:
    """Returns the looks so far, none where there is no ledger.

    Raises: DataError where the ledger is broken or belongs to another protocol.
    """
    if not ledger.is_file():
        return []
    document = read_json(ledger, "ledger of looks")
    try:
        if document["version"] != VERSION:
            raise DataError(f"{ledger}: version {document['version']}; this ecgkd reads version {VERSION}")
        if document["protocol_sha256"] != protocol_sha256:
            raise DataError(
                f"{ledger}: counts looks of protocol {document['protocol_sha256'][:12]}…, not of "
                f"{protocol_sha256[:12]}…; keep each protocol's ledger beside it"
            )
        return [Look(**one) for one in document["looks"]]
    except (KeyError, TypeError) as error:
        raise DataError(f"{ledger}: broken ledger of looks ({error}); restore it, do not delete it") from error


def record_looks(ledger: Path, protocol_sha256: str, models: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Writes down that `models` (name, weights' SHA-256) are about to be scored; returns weights to look, from 1.

    To be called before scoring: what was not written down must not be seen. Raises: DataError as `read_looks` does, and
    where the ledger cannot be written.
    """
    looks = read_looks(ledger, protocol_sha256)
    known = {one.weights_sha256 for one in looks}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    new = [
        Look(now, name, weights) for name, weights in {weights: (name, weights) for name, weights in models}.values()
    ]
    new = [one for one in new if one.weights_sha256 not in known]
    if new:
        looks += new
        document = {"version": VERSION, "protocol_sha256": protocol_sha256, "looks": [asdict(one) for one in looks]}
        write_json(ledger, document)
    return {one.weights_sha256: number for number, one in enumerate(looks, 1)}


def count_looks(
    candidates: Sequence[Candidate], protocol: Protocol, rows: Sequence[str], path: Path
) -> list[Candidate]:
    """Returns the candidates with their look written down, as they were where no locked people are among `rows`.

    `path` is the protocol's file; no `rows` means all. Raises: DataError as `record_looks` does.
    """
    locked = any(row.population == "locked" for row in protocol.rows if row.name in rows or not rows)
    models = [(one.name, one.contract.weights_sha256) for one in candidates if one.contract is not None]
    if not locked or not models:
        return list(candidates)
    look = record_looks(ledger_of(path), protocol.sha256, models)
    return [replace(one, look=look[one.contract.weights_sha256] if one.contract else 0) for one in candidates]
