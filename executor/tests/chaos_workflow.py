"""The workflow of the chaos tests: 60 jobs that note what they do, and what has to be true of their notes."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SINGLE, PACKED, JOINED = range(12), range(30), range(17)  # and `last`, which needs all that are joined
# a job is alone as long as any process of it lives, and fails as often as it should before it ends well
JOB = """\
#!/bin/bash
set -e
record=$1 name=$2 output=$3 seconds=$4 failures=$5
shift 5
note() { echo "$(date +%s.%N) $* $$ $SLURM_JOB_ID" >> "$record"; }
exec 9>> "$record.lock"
flock --nonblock 9 || note twin
note start
trap 'status=$?; [ "$status" = 0 ] || note failed' EXIT
echo "$name" > "$output"
for input; do cat "$input" >> "$output"; done
sleep "$seconds"
echo "$name done" >> "$output"
if [ "$(grep -c ' failed ' "$record")" -lt "$failures" ]; then exit 3; fi
note end
"""
SNAKEFILE = """\
JOBS = {jobs!r}


def get_inputs(name):
    return [f"{{each}}.txt" for each in JOBS[name][2]]


def get_call(name):
    return f"{records}/{{name}} {{name}} {{name}}.txt {{JOBS[name][0]}} {{JOBS[name][1]}} {{' '.join(get_inputs(name))}}"


rule all:
    input: "last.txt"


rule single:
    output: "single{{n}}.txt"
    params: call=lambda wildcards: get_call(f"single{{wildcards.n}}")
    resources: mem_mb=300
    retries: 3
    shell: "bash {script} {{params.call}}"


rule packed:
    output: "packed{{n}}.txt"
    params: call=lambda wildcards: get_call(f"packed{{wildcards.n}}")
    resources: mem_mb=300, pack=5
    retries: 3
    shell: "bash {script} {{params.call}}"


rule joined:
    input: lambda wildcards: get_inputs(f"joined{{wildcards.n}}")
    output: "joined{{n}}.txt"
    params: call=lambda wildcards: get_call(f"joined{{wildcards.n}}")
    resources: mem_mb=300, pack=3
    retries: 3
    shell: "bash {script} {{params.call}}"


rule last:
    input: get_inputs("last")
    output: "last.txt"
    params: call=get_call("last")
    resources: mem_mb=300
    retries: 3
    shell: "bash {script} {{params.call}}"
"""


@dataclass(frozen=True)
class Job:
    """A job: for how many seconds it sleeps, how often it fails first, and which jobs' outputs it needs."""

    seconds: float
    failures: int
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """What a job noted: start, end (it ended well), failed, or twin (another process of the job was still there)."""

    time: float
    word: str
    slurm_id: str


def make_jobs(chance: random.Random) -> dict[str, Job]:
    """Return the jobs of a workflow, the ones that others need first."""
    first = [*(f"single{n}" for n in SINGLE), *(f"packed{n}" for n in PACKED)]
    rest = list(first)
    chance.shuffle(rest)
    share = -(-len(first) // len(JOINED))
    jobs = {name: Job(_seconds(chance), _failures(chance)) for name in first}
    for n in JOINED:  # each output is needed by one of them
        inputs = tuple(rest[n * share : (n + 1) * share]) or tuple(chance.sample(first, 2))
        jobs[f"joined{n}"] = Job(_seconds(chance), _failures(chance), inputs)
    return jobs | {"last": Job(0.5, 0, tuple(f"joined{n}" for n in JOINED))}


def _seconds(chance: random.Random) -> float:
    return round(chance.uniform(0.2, 3), 1)


def _failures(chance: random.Random) -> int:
    return chance.choices([0, 1, 2], [17, 2, 1])[0]


def write_workflow(folder: Path, notes: Path, jobs: Mapping[str, Job]) -> None:
    """Write a Snakefile into `folder`; its jobs note what they do in `notes`, which is another disk."""
    (notes / "records").mkdir()
    (notes / "job.sh").write_text(JOB)
    plain = {name: (job.seconds, job.failures, job.inputs) for name, job in jobs.items()}
    text = SNAKEFILE.format(jobs=plain, records=notes / "records", script=notes / "job.sh")
    (folder / "Snakefile").write_text(text)


def read_notes(notes: Path) -> dict[str, list[Note]]:
    """Return what each job noted, in order."""
    found = {}
    for path in (notes / "records").iterdir():
        if path.suffix != ".lock":
            lines = [line.split() for line in path.read_text().splitlines()]
            found[path.name] = [Note(float(time), word, slurm_id) for time, word, _, slurm_id in lines]
    return found


def count_starts(notes: Path) -> int:
    """Return how many starts there were."""
    return sum(note.word == "start" for record in read_notes(notes).values() for note in record)


# --- what has to be true in the end


def find_wrong_outputs(folder: Path, jobs: Mapping[str, Job]) -> list[str]:
    """Return which outputs are not what one process alone would have written."""
    expected: dict[str, str] = {}
    problems = []
    for name, job in jobs.items():
        inputs = "".join(expected[each] for each in job.inputs)
        expected[name] = f"{name}\n{inputs}{name} done\n"
        path = folder / f"{name}.txt"
        if not path.exists():
            problems.append(f"{path.name} is missing")
        elif path.read_text() != expected[name]:
            problems.append(f"{path.name} has the wrong content: {path.read_text()[-200:]!r}")
    return problems


def find_wrong_starts(
    notes: Mapping[str, Sequence[Note]], names: Sequence[str], is_excused: Callable[[Note], bool]
) -> list[str]:
    """Return which jobs did not end well, ran again although they had, or twice at the same time.

    A job may run again after an end that is excused: one that a fault has kept from being reported.
    """
    problems = []
    for name in names:
        record = notes.get(name, [])
        ended = None
        for note in record:
            if note.word == "twin":
                problems.append(f"{name} ran twice at the same time: {_describe(record)}")
            elif note.word == "start" and ended and not is_excused(ended):
                problems.append(f"{name} ran again although it had ended well: {_describe(record)}")
            elif note.word == "end":
                ended = note
        if ended is None:
            problems.append(f"{name} never ended well: {_describe(record)}")
    return list(dict.fromkeys(problems))


def _describe(record: Sequence[Note]) -> str:
    return ", ".join(f"{note.word} {note.time:.2f} (job {note.slurm_id})" for note in record) or "no start"
