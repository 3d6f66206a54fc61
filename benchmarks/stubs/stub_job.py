"""Stand in for the Snakemake of a job: make the outputs of its target jobs, each with the time as its content.

It is given the arguments of a job's Snakemake. Like that one, it removes the marks of incomplete outputs. The first
line names the Python of the benchmark when it is installed, without its site packages.
"""

import binascii
import os
import sys
import time

ARRAY = "--slurm-jobstep-array-execs"  # how snakemake-executor-plugin-slurm hands the calls to the tasks of an array


def find_call(words: list[str]) -> list[str]:
    """Return the words of the call that this task has to run."""
    found = [number for number, word in enumerate(words) if word.partition("=")[0] == ARRAY]
    task = os.environ.get("SLURM_ARRAY_TASK_ID")
    if not found or task == os.environ.get("SLURM_ARRAY_TASK_MIN"):
        return words
    import base64
    import json
    import shlex
    import zlib

    payload = words[found[0]].partition("=")[2] or words[found[0] + 1]
    return shlex.split(zlib.decompress(bytes.fromhex(json.loads(base64.b64decode(payload))[task])).decode())


def find_targets(words: list[str]) -> list[str]:
    """Return the n of each target job."""
    rest = words[words.index("--target-jobs") + 1 :]
    end = next((number for number, word in enumerate(rest) if word.startswith("--")), len(rest))
    return [word.removeprefix("job:n=") for word in rest[:end]]


def make_output(path: str) -> None:
    """Write the time into an output, as whole as a job of Snakemake leaves it."""
    with open(path, "w") as file:  # noqa: PTH123, pathlib takes longer to import than all else here
        file.write(repr(time.time()))
    mark = binascii.b2a_base64(path.encode(), newline=False).decode().replace("+", "-").replace("/", "_")
    if os.path.exists(path := f".snakemake/incomplete/{mark}"):
        os.remove(path)


if __name__ == "__main__":
    if "-c" in sys.argv:  # no call of Snakemake
        os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    os.makedirs("out", exist_ok=True)
    for n in find_targets(find_call(sys.argv[1:])):
        make_output(f"out/{n}.txt")
