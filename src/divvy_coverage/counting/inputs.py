"""What the evidence of all samples is to be made from: planning and collecting compare both."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from divvy_coverage.counting.evidence import Evidence, FileRecord
from divvy_coverage.files import encode_record, read_record, write_if_changed

Identity = tuple[str, str]  # kind and fingerprint of a file, whatever its name


@dataclass(frozen=True)
class Inputs:
    """What the evidence of all samples is to be made from.

    Attributes
    ----------
    code
        Digest of the code that counts.
    counting
        What is counted, as `describe_counting` returns it.
    files
        By sample, kind and fingerprint of each file that it is counted from.
    """

    code: str
    counting: Mapping[str, Any]
    files: Mapping[str, Sequence[Identity]]

    def explain_difference(self, sample: str, evidence: Evidence) -> str:
        """Say what else the evidence of a sample was made from; "" if nothing else."""
        if evidence.code != self.code:
            return "by another version of the code"
        if evidence.counting != self.counting:
            return f"with other settings: {json.dumps(evidence.counting)}"
        if identify_files(evidence.files) != self.files.get(sample):
            return f"from other files, or as they were: {', '.join(file['path'] for file in evidence.files)}"
        return ""


def write_inputs(inputs: Inputs, path: Path) -> None:
    """Write what evidence is to be made from, only if it changed."""
    write_if_changed(path, encode_record(asdict(inputs)))


def read_inputs(path: Path) -> Inputs:
    """Read what evidence is to be made from. Raises UserError for a file that does not say."""
    found = read_record(path, "the inputs of a run")
    files = {sample: [(kind, digest) for kind, digest in each] for sample, each in found["files"].items()}
    return Inputs(found["code"], found["counting"], files)


def identify_files(records: Iterable[FileRecord]) -> list[Identity]:
    """Return by what files are known again."""
    return [(record["kind"], record["fingerprint"]) for record in records]
