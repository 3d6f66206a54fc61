"""CRAM and SAM files as BAM: the samtools inside pysam writes it into a pipe, in a process of its own."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import BinaryIO, cast

from divvy_coverage.alignments.bgzf import DamagedFile
from divvy_coverage.alignments.htslib import CRAM_FIELDS, check_whole
from divvy_coverage.errors import UserError

VIEW = "import sys, pysam; pysam.view(*sys.argv[1:], catch_stdout=False)"
ERROR = re.compile(r'\[E::\w+\] (.*)|(Parse error at line \d+)|samtools view: (.*?) "-"')
NO_REFERENCE = re.compile(r"Failed to populate reference|Unable to fetch reference")
UNKNOWN_CONTIG = re.compile(r'unrecognized (?:mate )?reference name "?(.*?)"?; treated as unmapped')


@contextmanager
def read_as_bam(path: Path, reference: Path | None = None) -> Iterator[BinaryIO]:
    """Give a CRAM or SAM file as uncompressed BAM.

    One thread reads it: with more of them, htslib 1.24 takes a damaged header of a CRAM container for the file's end.

    Parameters
    ----------
    path
        CRAM or SAM; of CRAM, sequences, qualities and tags are not read.
    reference
        The reference genome (FASTA), for CRAM files that cannot be read without.

    Raises
    ------
    UserError
        For a file that is truncated or damaged, that has alignments on contigs which its header lacks, or that needs
        another reference genome, and if the other process dies.
    """
    check_whole(path)
    genome = [] if reference is None else ["--reference", str(reference.absolute())]
    options = ["--no-PG", "--uncompressed", f"--input-fmt-option={CRAM_FIELDS}"]
    command = [sys.executable, "-P", "-c", VIEW, *options, *genome, "--output=-", "-"]  # the file is its stdin
    said: dict[bytes, None] = {}  # the lines of its stderr, each once
    damage: DamagedFile | None = None
    with (
        path.open("rb") as file,
        subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        content, messages = cast(BinaryIO, process.stdout), cast(BinaryIO, process.stderr)
        listener = Thread(target=lambda: said.update(dict.fromkeys(messages)))
        listener.start()
        finished = False
        try:
            try:
                yield content
            except DamagedFile as error:
                damage = error
            finished = not content.read(1)  # so that the other process knows what is wrong, if anything is
        finally:
            if not finished:
                process.kill()
            listener.join()
    lines = [line.decode(errors="replace").strip() for line in said]
    if problem := _find_problem(lines, reference, process.returncode if finished else 0):
        raise UserError(f"{path}: {problem}")
    if damage:
        raise damage


def _find_problem(lines: Iterable[str], reference: Path | None, status: int) -> str:
    """Return what samtools' messages and exit status (the number of a signal, negative) say; "" if all is well."""
    text = "\n".join(lines)
    if status < 0:
        name = signal.Signals(-status).name
        return f"reading it was ended by {name}; if memory was short, ask for more, otherwise copy or make it again"
    if status and NO_REFERENCE.search(text):
        found = f"{reference}, which lacks contigs of it" if reference else "none"
        return f"expected the reference genome that it was made with, found {found}; give its FASTA file as `reference`"
    errors = ["".join(found) for found in ERROR.findall(text)]  # which htslib may tell and yet end well
    if errors or status:
        found = "; ".join(errors[:3]) or (text.splitlines() or [f"exit status {status}"])[-1]
        return f"expected CRAM or SAM, found damage ({found}); copy or make it again"
    if names := list(dict.fromkeys(UNKNOWN_CONTIG.findall(text))):
        return f"has alignments on {', '.join(names[:3])}, which its header lacks; make it again with a complete header"
    return ""
