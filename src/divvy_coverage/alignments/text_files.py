"""What the lines of text files of alignments hold, many at once: fragments, or the alignments of reads and of mates."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from divvy_coverage.alignments.text_columns import Columns, Contigs
from divvy_coverage.alignments.text_kinds import TEXT_KINDS
from divvy_coverage.alignments.text_lines import read_lines
from divvy_coverage.arrays import Booleans, Integers
from divvy_coverage.progress import Progress, show_nothing

LONGEST_SPAN = (1 << 28) - 1  # bp, of one operation of a CIGAR
FORWARD, REVERSE, NOWHERE = b"+-."


class Spans(NamedTuple):
    """Fragments, or alignments: one of each line.

    `contigs` are numbers of contigs, -1 for what is not placed, whose `starts` and `ends` (bp) mean nothing.
    """

    contigs: Integers
    starts: Integers
    ends: Integers
    reverse: Booleans


def read_spans(path: Path, kind: str, contigs: Contigs, progress: Progress = show_nothing) -> Iterator[list[Spans]]:
    """Yield what many lines hold, again and again: a list of one, of BEDPE of two, one for each mate.

    Parameters
    ----------
    path, kind
        The file, and its kind.
    contigs
        Is given the names of the contigs as they come.
    progress
        Is told numbers of bytes of the file as they are done.

    Raises
    ------
    UserError
        For a file that is damaged or cut off, and for a malformed line.
    """
    shape = TEXT_KINDS[kind]
    for lines in read_lines(path, progress):
        columns = Columns(lines, path, shape.columns, shape.least, shape.most)
        if not len(columns):
            continue
        if kind == "bedpe":
            yield [_read_mate(columns, contigs, 0, 8), _read_mate(columns, contigs, 3, 9)]
        elif kind == "tagalign":
            yield [_read_mate(columns, contigs, 0, 5, may_be_nowhere=False)]
        else:
            yield [_read_interval(columns, contigs)]


def list_contigs(path: Path, kind: str) -> list[str]:
    """Return the contigs of a file in the order of their names, for which all of it is read."""
    contigs = Contigs()
    for _ in read_spans(path, kind, contigs):
        pass
    return sorted(contigs.names)


def _read_interval(columns: Columns, contigs: Contigs) -> Spans:
    starts, ends = _read_positions(columns, 0)
    columns.check(starts < ends)
    nothing = np.zeros(len(columns), np.bool_)
    return Spans(contigs.read(columns, 0, ~nothing), starts, ends, nothing)


def _read_positions(columns: Columns, first: int) -> tuple[Integers, Integers]:
    """Return start and end from the two columns after `first`; where one is no number, start is the end."""
    starts, are_numbers = columns.read_numbers(first + 1)
    ends, others = columns.read_numbers(first + 2)
    sound = are_numbers & others
    return (starts, ends) if sound.all() else (np.where(sound, starts, 0), np.where(sound, ends, 0))


def _read_mate(columns: Columns, contigs: Contigs, first: int, strand: int, may_be_nowhere: bool = True) -> Spans:
    """Return the alignments in three columns, with their strand in another."""
    starts, ends = _read_positions(columns, first)
    strands = columns.read_letters(strand)
    nowhere = columns.read_letters(first) == NOWHERE if may_be_nowhere else np.zeros(len(columns), np.bool_)
    sound = (starts < ends) & (ends - starts <= LONGEST_SPAN) & ((strands == FORWARD) | (strands == REVERSE))
    columns.check(sound | nowhere)
    return Spans(contigs.read(columns, first, ~nowhere), starts, ends, strands == REVERSE)
