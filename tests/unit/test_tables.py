"""Sample tables are read strictly: what a spreadsheet or R writes is read as meant, or refused with what to do."""

import csv
import io
import random
from pathlib import Path

import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.sheets.tables import Table, read_table

TABLE = "name,group,bam\ns1,ctl,1.bam\ns2,trt,2.bam\ns3,trt,3.bam\n"
ROWS = [(1, ["s1", "ctl", "1.bam"]), (2, ["s2", "trt", "2.bam"]), (3, ["s3", "trt", "3.bam"])]
SEEDS = 300


def read(folder: Path, content: str | bytes, name: str = "t.csv") -> Table:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(str(path))


def rows(table: Table) -> list[tuple[int, list[str]]]:
    return [(number, list(cells.values())) for number, cells in table.rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", TABLE.encode()),
        ("t.CSV", TABLE.encode()),
        ("t.csv", TABLE.encode("utf-8-sig").replace(b"\n", b"\r\n")),
        ("t.csv", TABLE.replace("\n", "\r").encode()),
        ("t.tsv", TABLE.replace(",", "\t").encode()),
        ("t.Tsv", TABLE.replace(",", "\t").encode()),
        ("t.csv", TABLE.replace(",", " , ").encode()),
        ("t.csv", TABLE.replace("\n", ",,\n").encode()),
        ("t.csv", TABLE.replace("ctl", '"ctl"').replace("s3", '"s3"').encode()),
        ("t.csv", "".join(f'"{line}"\n' for line in TABLE.replace(",", '","').splitlines()).encode()),
        ("t.csv", TABLE.replace("trt", " trt\u00a0").encode()),
        ("t.csv", (TABLE + ",,\n\n  \n,,\n").encode()),
    ],
)
def test_ways_to_write_one_table(tmp_path: Path, name: str, content: bytes) -> None:
    table = read(tmp_path, content, name)
    assert (table.columns, rows(table), table.notes) == (["name", "group", "bam"], ROWS, [])


def test_what_cells_may_hold(tmp_path: Path) -> None:
    text = 'name,note\na,5" needle\nb,"a, b"\nc,"say ""yes"""\nd,\ne\nf,|\u2028|\x0b|\x85|\x1c|\n'
    notes = ['5" needle', "a, b", 'say "yes"', "", "", "|\u2028|\x0b|\x85|\x1c|"]
    assert [cells for _, cells in rows(read(tmp_path, text))] == [
        [n, note] for n, note in zip("abcdef", notes, strict=True)
    ]


def test_rows_are_numbered_by_the_lines_below_the_header(tmp_path: Path) -> None:
    table = read(tmp_path, "\n,\nname,bam\n\na,1\n,\nb,2\n")
    assert [number for number, _ in table.rows] == [2, 4]


def test_columns_without_a_name(tmp_path: Path) -> None:
    """As spreadsheets write empty columns, and R its row names."""
    table = read(tmp_path, '"","name","bam",\n"1","a","1.bam",\n"2","b","2.bam",\n')
    assert (table.columns, rows(table)) == (["name", "bam"], [(1, ["a", "1.bam"]), (2, ["b", "2.bam"])])
    (note,) = table.notes
    assert note.endswith(
        "column 1 has no name and is left out; name it, or write the table without row names (R: row.names = FALSE)"
    )


@pytest.mark.parametrize(
    ("content", "essentials"),
    [
        ("", ["is empty; the first line has to name the columns"]),
        ("\n,,\n\n", ["is empty"]),
        (
            TABLE.replace("ctl", '"ctl'),
            ['line 2: a quote is not closed: s1,"ctl,1.bam', "end with one in the same line"],
        ),
        (TABLE.replace("ctl", '"ctl').replace("2.bam", '2.bam"'), ["line 2: a quote is not closed"]),
        (TABLE.replace("s1", '"s1').replace("s3", '"s3'), ["line 2: a quote is not closed"]),
        (TABLE.replace("ctl", '"ctl"x'), ["line 2: ',' expected after '\"'"]),
        (
            TABLE.replace("ctl,", '"ctl,').replace("1.bam", '1.bam"'),
            ["fewer fields than", "line 2: ['s1', 'ctl,1.bam']"],
        ),
        (TABLE.replace("3.bam", '"3.bam'), ["line 4: a quote is not closed"]),
        (TABLE.replace("group", '"group'), ["line 1: a quote is not closed"]),
        (TABLE.replace("ctl", '"c\ntl"'), ["line 2: a quote is not closed"]),
        (TABLE.replace("ctl", "x" * 200_000), ["line 2: field larger than field limit"]),
        (TABLE.replace(",", ";"), ["separated by semicolons, expected commas; Excel", "decimal comma", ".tsv"]),
        (TABLE.replace(",", "\t"), ["separated by tabs, expected commas; call the file .tsv"]),
        ("sep=,\n" + TABLE, ["the line 'sep=,' is for Excel alone; remove it"]),
        ("SEP=;\n" + TABLE.replace(",", ";"), ["'SEP=;' is for Excel alone"]),
        ('"sep=,"\n' + TABLE, ["is for Excel alone"]),
        (TABLE.encode("utf-16"), ['found UTF-16 (Excel\'s "Unicode Text")', '"CSV UTF-8"']),
        (TABLE.encode("utf-16-le"), ["found UTF-16"]),
        (
            TABLE.replace("trt", "5 \u00b5M").encode("cp1252"),
            ["line 3: expected text in UTF-8", r"5 \xb5M", '"CSV UTF-8"'],
        ),
        (b"PK\x03\x04rest", ["found an Excel workbook", '"CSV UTF-8"']),
        ("name,bam,bam\nx,1,2\n", ["several columns are called 'bam'; rename"]),
        ("name,bam, bam\nx,1,2\n", ["several columns are called 'bam'"]),
        (
            TABLE + "s4,a,b,c.bam\n",
            ["more fields than the header has columns (3)", "line 5: ['s4', 'a', 'b', 'c.bam']"],
        ),
        ("bam group\n1 s1 1.bam ctl\n".replace(" ", ","), ["more fields", "row.names = FALSE"]),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str | bytes, essentials: list[str]) -> None:
    with pytest.raises(UserError) as error:
        read(tmp_path, content)
    for essential in [f"{tmp_path}/t.csv: ", *essentials]:
        assert essential in str(error.value)


@pytest.mark.parametrize(("name", "found"), [("t.xlsx", ".xlsx"), ("t.txt", ".txt"), ("t", "no suffix")])
def test_other_suffixes_are_refused(tmp_path: Path, name: str, found: str) -> None:
    with pytest.raises(UserError, match=f"expected a table called .csv or .tsv, found {found}; save it as"):
        read(tmp_path, TABLE, name)


def test_a_table_may_be_on_the_web(tmp_path: Path) -> None:
    read(tmp_path, TABLE)
    assert rows(read_table((tmp_path / "t.csv").as_uri())) == ROWS
    with pytest.raises(UserError, match=r"gone.csv: cannot be read: .*No such file"):
        read_table((tmp_path / "gone.csv").as_uri())


def write(cells: list[list[str]], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(cells)
    return text.getvalue()


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_stray_quote_never_changes_another_row(tmp_path: Path, suffix: str) -> None:
    """Random tables, in which one or two quotes are put anywhere: refused, or rows without them are as they were."""
    refused = 0
    separator = "," if suffix == ".csv" else "\t"
    for seed in range(SEEDS):
        rng = random.Random(seed)
        words = ["a", "b c", "x,y", "5'", "", 'say "no"', "\u00e4", "1.bam"]
        cells = [[f"s{number}", *rng.choices(words, k=3), "z"] for number in range(rng.randint(1, 5))]
        text = write([["name", "one", "two", "three", "four"], *cells], separator)
        assert [row for _, row in rows(read(tmp_path, text, f"t{suffix}"))] == cells
        damaged, hit = text, set()
        for _ in range(rng.randint(1, 2)):
            place = rng.randint(0, len(damaged) - 1)
            hit.add(damaged.count("\n", 0, place))
            damaged = damaged[:place] + '"' + damaged[place:]
        try:
            found = [row for _, row in rows(read(tmp_path, damaged, f"t{suffix}"))]
        except UserError:
            refused += 1
            continue
        assert len(found) == len(cells)
        assert all(found[n] == row for n, row in enumerate(cells) if n + 1 not in hit), (seed, damaged)
    assert SEEDS / 5 < refused < SEEDS
