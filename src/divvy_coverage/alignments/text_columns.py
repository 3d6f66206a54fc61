"""The columns of many lines of text at once, by numpy: where they are, the numbers in them, and names of contigs.

Bytes are looked at eight at a time, as integers of 64 bits that start at any byte.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from divvy_coverage.alignments.text_lines import Lines
from divvy_coverage.arrays import Booleans, Integers
from divvy_coverage.errors import UserError
from divvy_coverage.intervals.bed import CONTIG, LARGEST_COORDINATE

WORD = 8  # bytes
MOST_DIGITS = 10  # of LARGEST_COORDINATE
MOST_CONTIGS = 1_000_000
TAB, LINE_FEED, RETURN, COMMENT = b"\t\n\r#"
ZEROS = np.uint64(0x3030303030303030)  # eight times the digit 0
ADVICE = "correct or remove this line"

Words = NDArray[np.uint64]


class Columns:
    """The columns of lines, tab-separated; blank lines and comments (#) are passed over.

    Parameters
    ----------
    lines
        Whole lines.
    path
        The file, for messages.
    expected
        What every line should hold, for messages.
    least, most
        How many columns every line should have; UserError for one that has not.
    """

    def __init__(self, lines: Lines, path: Path, expected: str, least: int, most: int) -> None:
        self._lines, self._path, self._expected = lines, path, expected
        padded = np.frombuffer(b"".join((bytes(WORD), lines.data, bytes(WORD))), np.uint8)
        self._bytes = padded[WORD:-WORD]
        self._words: Words = np.ndarray(len(padded) - WORD + 1, "<u8", padded, strides=(1,))
        breaks = np.flatnonzero(self._bytes == LINE_FEED)
        starts = np.concatenate([[0], breaks[:-1] + 1])
        ends = breaks - ((self._bytes[breaks - 1] == RETURN) & (breaks > starts))
        self._rows = np.flatnonzero((ends > starts) & (self._bytes[starts] != COMMENT))
        self._starts, self._ends = starts[self._rows], ends[self._rows]
        self._tabs = np.flatnonzero(self._bytes == TAB)
        self._first, self._numbers = self._find_tabs()
        self.check((self._numbers >= least - 1) & (self._numbers < most))

    def __len__(self) -> int:
        return len(self._rows)

    def _find_tabs(self) -> tuple[Integers, Integers]:
        """Return the first tab of each line, and how many there are."""
        number = len(self._tabs) // max(len(self), 1)
        if number and len(self._tabs) == number * len(self):  # mostly each line has as many
            tabs = self._tabs.reshape(-1, number)
            if np.all(tabs[:, 0] >= self._starts) and np.all(tabs[:, -1] < self._ends):
                return np.arange(len(self)) * number, np.full(len(self), number)
        first = np.searchsorted(self._tabs, self._starts)
        return first, np.searchsorted(self._tabs, self._ends) - first

    def check(self, sound: Booleans) -> None:
        """Raise UserError for the first line that is not sound."""
        if not sound.all():
            row = int(np.argmin(sound))
            line = bytes(self._bytes[self._starts[row] : self._ends[row]]).decode(errors="replace")
            number = self._lines.number + int(self._rows[row])
            raise UserError(f"{self._path}: line {number}: expected {self._expected}, found {line[:80]!r}; {ADVICE}")

    def find(self, column: int) -> tuple[Integers, Integers]:
        """Return where a column starts and ends in each line."""
        starts, ends = self._starts, self._ends
        if column:
            starts = self._tabs[self._first + column - 1] + 1
        is_last = self._numbers == column
        if not is_last.all():
            tabs = self._tabs[np.minimum(self._first + column, len(self._tabs) - 1)]
            ends = np.where(is_last, ends, tabs) if is_last.any() else tabs
        return starts, ends

    def read_letters(self, column: int) -> NDArray[np.uint8]:
        """Return a column of single letters as bytes; 0 where there is not just one."""
        starts, ends = self.find(column)
        return np.where(ends - starts == 1, self._bytes[starts], 0).astype(np.uint8)

    def read_numbers(self, column: int) -> tuple[Integers, Booleans]:
        """Return a column of numbers, and whether each is one: digits alone, and at most LARGEST_COORDINATE."""
        starts, ends = self.find(column)
        lengths = ends - starts
        values, sound = self._parse(ends, np.minimum(lengths, WORD))
        long = np.flatnonzero((lengths > WORD) & (lengths <= MOST_DIGITS))
        if long.size:
            front, digits = self._parse(ends[long] - WORD, lengths[long] - WORD)
            values[long] += front * 10**WORD
            sound[long] &= digits
        return values, sound & (lengths > 0) & (lengths <= MOST_DIGITS) & (values <= LARGEST_COORDINATE)

    def _parse(self, ends: Integers, lengths: Integers) -> tuple[Integers, Booleans]:
        """Return the numbers of at most eight digits that end there, and whether they are digits."""
        others = (8 * (WORD - np.maximum(lengths, 1))).astype(np.uint64)  # bits before the number
        word = self._words[ends]  # the word that ends there, as the padding is one word
        word = (word >> others << others) | (ZEROS & ~(np.uint64(2**64 - 1) << others))
        high = np.uint64(0xF0F0F0F0F0F0F0F0)
        sound = ((word & high) == ZEROS) & (((word + np.uint64(0x0606060606060606)) & high) == ZEROS)
        # neighbors are joined: digits to pairs, pairs to fours, fours to eight
        word = (word & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(2561) >> np.uint64(8)
        word = (word & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601) >> np.uint64(16)
        word = (word & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001) >> np.uint64(32)
        return word.astype(np.int64), sound

    def read_word(self, starts: Integers, ends: Integers) -> Words:
        """Return the first eight bytes from some places on, 0 for those at the end or after it."""
        others = (8 * (WORD - np.clip(ends - starts, 1, WORD))).astype(np.uint64)
        words: Words = self._words[starts + WORD] << others >> others
        return words

    def get_text(self, row: int, column: int) -> str:
        """Return one column of one line."""
        start, end = (int(each[row]) for each in self.find(column))
        return bytes(self._bytes[start:end]).decode(errors="replace")


class Contigs:
    """Numbers of the contigs of a file, in the order in which its lines name them; `names` has their names."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._words, self._prefixes = _Numbering(), _Numbering()
        self._numbers = np.zeros(1, np.int64)  # of the contigs, 1 more than their places in `names`, by prefix

    def read(self, columns: Columns, column: int, where: Booleans) -> Integers:
        """Return the number of the contig in a column of each line, -1 for lines where there is none.

        Raises UserError for what is no name.
        """
        starts, ends = columns.find(column)
        columns.check(ends > starts)
        prefix = np.zeros(len(columns), np.int64)  # the number of what was read of each name
        rows = np.flatnonzero(where)
        starts, ends = starts[rows], ends[rows]
        while rows.size:
            word = self._words.number(columns.read_word(starts, ends)).astype(np.uint64)
            prefix[rows] = self._prefixes.number(prefix[rows].astype(np.uint64) << np.uint64(32) | word)
            longer = ends - starts > WORD
            rows, starts, ends = rows[longer], starts[longer] + WORD, ends[longer]
        missing = self._prefixes.size + 1 - len(self._numbers)
        self._numbers = np.concatenate([self._numbers, np.zeros(missing, np.int64)])
        numbers = self._numbers[prefix]
        if np.any((numbers == 0) & where):
            self._name(columns, column, prefix)
            numbers = self._numbers[prefix]
        return numbers - 1

    def _name(self, columns: Columns, column: int, prefix: Integers) -> None:
        """Give numbers to the contigs that are new."""
        found, rows = np.unique(prefix, return_index=True)
        for row, number in sorted(zip(rows.tolist(), found.tolist(), strict=True)):
            if number and not self._numbers[number]:
                name = columns.get_text(row, column)
                if not CONTIG.fullmatch(name) or len(self.names) == MOST_CONTIGS:
                    columns.check(np.arange(len(columns)) != row)
                self.names.append(name)
                self._numbers[number] = len(self.names)


class _Numbering:
    """Numbers of values from 1 on, in any order."""

    def __init__(self) -> None:
        self._values = np.zeros(0, np.uint64)  # sorted
        self._numbers = np.zeros(0, np.int64)

    @property
    def size(self) -> int:
        """How many values have a number."""
        return len(self._values)

    def number(self, values: Words) -> Integers:
        """Return the numbers of values, and give new ones their numbers."""
        places = self._find(values)
        unknown = self._values[places] != values if self.size else np.ones(len(values), np.bool_)
        if unknown.any():
            new = np.unique(values[unknown])
            numbers = np.concatenate([self._numbers, np.arange(self.size, self.size + len(new)) + 1])
            joined = np.concatenate([self._values, new])
            order = np.argsort(joined)
            self._values, self._numbers = joined[order], numbers[order]
            places = self._find(values)
        return self._numbers[places]

    def _find(self, values: Words) -> Integers:
        return np.minimum(np.searchsorted(self._values, values), max(self.size - 1, 0))
