"""PEPs: the features that peppy brings, on peppy's own cases and on ours, and what it lets pass in silence."""

import gc
import time
import warnings
from pathlib import Path
from typing import Any

import peppy
import pytest

from divvy_coverage.errors import UserError
from divvy_coverage.samples import Sample
from divvy_coverage.sheets.pep import read_pep
from divvy_coverage.sheets.sheet import read_sheet
from helpers import resolve_sheet

# of peppy's cases: the attribute to look at, and its values in each sample
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "example_basic": ("file", {"frog_1": "data/frog1_data.txt", "frog_2": "data/frog2_data.txt"}),
    "example_append": ("read_type", dict.fromkeys(("pig_0h", "pig_1h", "frog_0h", "frog_1h"), "SINGLE")),
    "example_custom_index": ("file", {"frog_1": "data/frog1_data.txt", "frog_2": "data/frog2_data.txt"}),
    "example_derive": (
        "file_path",
        {
            f"{animal}_{hour}h": f"/home/me/data/lab/project/{animal}_{hour}h.fastq"
            for animal in ("pig", "frog")
            for hour in "01"
        },
    ),
    "example_derive_imply": (
        "file_path",
        {
            "pig_0h": "/data/lab/project/pig_susScr11_untreated.fastq",
            "pig_1h": "/data/lab/project/pig_susScr11_treated.fastq",
            "frog_0h": "/data/lab/project/frog_xenTro9_untreated.fastq",
            "frog_1h": "/data/lab/project/frog_xenTro9_treated.fastq",
        },
    ),
    "example_duplicate": ("animal", {"pig_0h": "pig", "pig_1h": "pig", "frog_0h": "frog", "frog_1h": "frog"}),
    "example_imply": (
        "genome",
        {"frog_0h": "", "frog_1h": "", "human_1h": "hg38", "human_0h": "hg38", "mouse_1h": "mm10", "mouse_0h": "mm10"},
    ),
    "example_imports": ("imported_attr", {"frog_1": "imported_val", "frog_2": "imported_val"}),
    "example_node_alias": ("imported_attr", {"frog_1": "imported_val", "frog_2": "imported_val"}),
    "example_noname": ("time", {"pig_0h": "0", "pig_1h": "1", "frog_0h": "0", "frog_1h": "1"}),
    "example_remove": ("protocol", dict.fromkeys(("pig_0h", "pig_1h", "frog_0h", "frog_1h"), "")),
    "example_subsamples_none": ("file", {"frog_1": "multi", "frog_2": "multi", "frog_3": "multi"}),
    "example_subtable1": (
        "file",
        {
            "frog_1": "data/frog1a_data.txt data/frog1b_data.txt data/frog1c_data.txt",
            "frog_2": "data/frog2a_data.txt data/frog2b_data.txt",
            "frog_3": "multi",
        },
    ),
    "example_subtable2": (
        "file",
        {
            "frog_1": "../data/frog1a_data.txt ../data/frog1b_data.txt ../data/frog1c_data.txt",
            "frog_2": "../data/frog2a_data.txt ../data/frog2b_data.txt",
            "frog_3": "../data/frog3_data.txt",
            "frog_4": "../data/frog4_data.txt",
        },
    ),
    "example_subtable3": (
        "file",
        {
            "frog_1": "../data/frog1a_data.txt ../data/frog1b_data.txt ../data/frog1c_data.txt",
            "frog_2": "../data/frog2*_data.txt",
            "frog_3": "../data/frog3*_data.txt",
            "frog_4": "../data/frog4*_data.txt",
        },
    ),
    "example_subtable4": (
        "read2",
        {"frog_1": "frog1a_data2.txt frog1b_data2.txt frog1b_data2.txt", "frog_2": "", "frog_3": "", "frog_4": ""},
    ),
    "example_subtable5": (
        "read1",
        {"frog_1": "../data/frog1a_R1.fq.gz ../data/frog1b_R1.fq.gz ../data/frog1c_R1.fq.gz"}
        | {f"frog_{n}": f"../data/frog{n}_R1.fq.gz" for n in "234"},
    ),
    "example_subtables": ("desc", {"frog_1": "", "frog_2": "", "frog_3": "TEST3a"}),
    "example_multiple_subsamples": (
        "local_files",
        {
            "frog_1": "../data/file/a.txt ../data/file/b.txt ../data/file/c.txt",
            "frog_2": "../data/file/a.txt ../data/file/b.txt",
            "frog_3": "../data/{file_path}",
            "frog_4": "../data/{file_path}",
        },
    ),
}
AMENDED = [
    ("example_amendments1", [], "protocol", {"pig_0h": "RRBS", "pig_1h": "RRBS", "frog_0h": "RRBS", "frog_1h": "RRBS"}),
    ("example_amendments1", ["newLib"], "protocol", dict.fromkeys(("pig_0h", "pig_1h", "frog_0h", "frog_1h"), "ABCD")),
    (
        "example_amendments1",
        ["newLib", "newLib2"],
        "protocol",
        dict.fromkeys(("pig_0h", "pig_1h", "frog_0h", "frog_1h"), "EFGH"),
    ),
    (
        "example_amendments2",
        ["noFrog"],
        "genome",
        {"human_1h": "hg38", "human_0h": "hg38", "mouse_1h": "mm10", "mouse_0h": "mm10"},
    ),
]


def values(config: Path, amendments: list[str], attribute: str) -> dict[str, str]:
    return {row.name: " ".join(row.attributes.get(attribute, [])) for row in read_pep(config, amendments).rows}


@pytest.mark.parametrize("case", CASES)
def test_peppys_cases(data: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    attribute, expected = CASES[case]
    found = values(data / "peps" / case / "project_config.yaml", [], attribute)
    assert list(found.items()) == list(expected.items())


@pytest.mark.parametrize(("case", "amendments", "attribute", "expected"), AMENDED)
def test_peppys_cases_with_amendments(
    data: Path, case: str, amendments: list[str], attribute: str, expected: dict
) -> None:
    assert values(data / "peps" / case / "project_config.yaml", amendments, attribute) == expected


@pytest.mark.parametrize("case", [*CASES, "example_amendments1", "example_amendments2"])
def test_all_attributes_are_those_of_peppy(data: Path, case: str) -> None:
    config = data / "peps" / case / "project_config.yaml"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = [sample.to_dict() for sample in peppy.Project(str(config)).samples]
    sheet = read_pep(config)
    listed = [{k: v if isinstance(v, list) else [v] * bool(v) for k, v in sample.items()} for sample in theirs]
    assert [{sheet.name_column: [row.name]} | row.attributes for row in sheet.rows] == listed


@pytest.mark.parametrize(
    ("case", "essentials"),
    [
        (
            "example_automerge/project_config.yaml",
            ["'frog_2' (row 2)", "'frog_2' (row 4)", "2 rows have this name: 2, 4"],
        ),
        ("example_subtable_automerge/project_config.yaml", ["'frog_3' (row 3)", "2 rows have this name: 3, 4"]),
        ("example_incorrect_index/project_config.yaml", ["no column 'sample_id'", "'sample_name', 'protocol', 'file'"]),
        ("example_noname/project_config_noname.yaml", ["no column 'sample_name'", "'id', 'protocol'"]),
        ("example_imports/project_config1.yaml", ["no sample_table", "other PEPs import"]),
        ("example_node_alias/project_config1.yaml", ["no sample_table", "other PEPs import"]),
        ("example_basic_sample_yaml/sample.yaml", ["expected a project configuration", "found a list"]),
        ("example_basic/project_config.yaml", ["'frog_1' (row 1)", "no such file", "data/frog1_data.txt"]),
        ("example_subtable1/project_config.yaml", ["'frog_3' (row 3): file: no such file", "/multi"]),
        ("example_subtable3/project_config.yaml", ["no file matches", "frog2*_data.txt"]),
    ],
)
def test_peppys_cases_that_cannot_be_used(data: Path, case: str, essentials: list[str]) -> None:
    with pytest.raises(UserError) as error:
        resolve_sheet(data / "peps" / case, bam="file")
    for essential in [*essentials, case]:
        assert essential in str(error.value)


def project(folder: Path, table: str, config: str = "", **others: str) -> Path:
    """Write a PEP, the BAM files a to d, and other files (a__csv is a.csv)."""
    folder.mkdir(exist_ok=True)
    for name in "abcd":
        (folder / f"{name}.bam").touch()
    for name, text in others.items():
        (folder / name.replace("__", ".")).write_text(text)
    (folder / "samples.csv").write_text(table)
    path = folder / "project_config.yaml"
    path.write_text(f"pep_version: 2.1.0\nsample_table: samples.csv\n{config}")
    return path


def derive(sources: str, attributes: str = "bam") -> str:
    return f"sample_modifiers:\n  derive:\n    attributes: [{attributes}]\n    sources: {{{sources}}}\n"


def bams(samples: list[Sample]) -> dict[str, str]:
    return {sample.name: " ".join(Path(path).name for path in sample.files) for sample in samples}


@pytest.fixture
def pep(tmp_path: Path) -> Path:
    """A folder for a PEP, which is not the current one."""
    return tmp_path / "pep"


def test_derived_paths_may_hold_variables_home_and_patterns(pep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", str(pep))
    monkeypatch.setenv("HOME", str(pep))
    sources = "v: '$WHERE/{id}.bam', w: '${WHERE}/{id}.bam', h: '~/{id}.bam', p: '{id}[.]b*'"
    config = project(pep, "sample_name,bam,id\nv,v,a\nw,w,b\nh,h,c\np,p,d\n", derive(sources))
    assert bams(resolve_sheet(config)) == {"v": "a.bam", "w": "b.bam", "h": "c.bam", "p": "d.bam"}


def test_cells_may_hold_variables_home_and_patterns(pep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", str(pep))
    monkeypatch.setenv("HOME", str(pep))
    config = project(pep, "sample_name,bam\nv,$WHERE/a.bam\nh,~/b.bam\np,[cd].bam\n")
    assert bams(resolve_sheet(config)) == {"v": "a.bam", "h": "b.bam", "p": "c.bam d.bam"}


def test_patterns_start_in_the_folder_of_the_pep(pep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = project(pep, "sample_name,bam\nx,src\n", derive("src: '*.bam'"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bam").touch()
    assert resolve_sheet(config.relative_to(tmp_path))[0].files == [f"pep/{name}.bam" for name in "abcd"]
    assert Path.cwd() == tmp_path


def test_a_path_may_stand_where_others_have_a_source(pep: Path) -> None:
    config = project(pep, "sample_name,bam\na,src\nx,b.bam\n", derive("src: '{sample_name}.bam'"))
    assert bams(resolve_sheet(config)) == {"a": "a.bam", "x": "b.bam"}


def test_append_duplicate_imply_and_remove_work_together(pep: Path) -> None:
    modifiers = """sample_modifiers:
  remove: [old]
  append: {bam: src}
  duplicate: {sample_name: id}
  imply:
    - if: {organism: [human, Human]}
      then: {genome: hg38}
  derive:
    attributes: bam
    sources: {src: '{id}.bam'}
"""
    config = project(pep, "sample_name,organism,old\na,human,1\nb,mouse,2\n", modifiers)
    first, second = resolve_sheet(config)
    assert bams([first, second]) == {"a": "a.bam", "b": "b.bam"}
    assert list(first.get_columns()) == ["sample_name", "bam", "organism", "id", "genome"]
    assert first.attributes["genome"] == ["hg38"]
    assert "genome" not in second.attributes


def test_conditions_are_met_by_whole_words(pep: Path) -> None:
    imply = "sample_modifiers:\n  imply:\n    - if: {organism: human, time: 0}\n      then: {genome: hg38}\n"
    table = "sample_name,organism,time\na,human,0\nb,hum,0\nc,,0\nd,human,10\n"
    assert values(project(pep, table, imply), [], "genome") == {"a": "hg38", "b": "", "c": "", "d": ""}


def test_an_imported_part_keeps_the_name_column(pep: Path) -> None:
    config = "sample_table_index: id\nproject_modifiers:\n  import: [part.yaml]\n"
    part = "pep_version: 2.1.0\nsample_modifiers:\n  append: {group: one}\n"
    sheet = read_pep(project(pep, "id,sample_name,bam\nx,y,a.bam\n", config, part__yaml=part))
    assert [(row.name, row.attributes["group"]) for row in sheet.rows] == [("x", ["one"])]


def test_imports_of_imports(pep: Path) -> None:
    part = "project_modifiers:\n  import: [deep.yaml]\n"
    deep = "sample_modifiers:\n  append: {bam: a.bam}\n"
    config = project(pep, "sample_name\nx\n", part, deep__yaml=deep)
    assert bams(resolve_sheet(config)) == {"x": "a.bam"}


def test_amendments_may_name_another_column_and_be_combined(pep: Path) -> None:
    amend = """project_modifiers:
  amend:
    other: {sample_table: other.csv, sample_table_index: id}
    grouped: {sample_modifiers: {append: {group: one}}}
"""
    config = project(pep, "sample_name,bam\nx,a.bam\n", amend, other__csv="id,bam\ny,b.bam\n")
    assert bams(resolve_sheet(config)) == {"x": "a.bam"}
    (sample,) = resolve_sheet(config, ["other", "grouped"])
    assert (sample.name, sample.attributes["group"]) == ("y", ["one"])


def test_several_subsample_tables(pep: Path) -> None:
    config = project(
        pep,
        "sample_name,bam\nx,src\ny,d.bam\n",
        "subsample_table: [files.csv, lanes.tsv]\n" + derive("src: '{file}.bam'"),
        files__csv="sample_name,file\nx,a\nx,b\n",
        lanes__tsv="sample_name\tlane\nx\t1\nx\t2\ny\t3\n",
    )
    samples = resolve_sheet(config)
    assert bams(samples) == {"x": "a.bam b.bam", "y": "d.bam"}
    assert [sample.attributes["lane"] for sample in samples] == [["1", "2"], ["3"]]


def test_each_subsample_may_have_a_source_of_its_own(pep: Path) -> None:
    config = project(
        pep,
        "sample_name,bam\nx,\ny,\n",
        "subsample_table: merge.csv\n" + derive("lab: '{file}.bam', all: '[{file}d].bam'"),
        merge__csv="sample_name,bam,file\nx,lab,a\nx,lab,b\ny,all,c\n",
    )
    assert bams(resolve_sheet(config)) == {"x": "a.bam b.bam", "y": "c.bam d.bam"}


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_an_empty_cell_of_a_subsample_table_is_no_value(pep: Path, suffix: str) -> None:
    table = "sample_name,bam,lane\nx,a.bam,1\nx,,2\ny,,3\n".replace(",", "," if suffix == "csv" else "\t")
    config = project(pep, "sample_name,bam\nx,d.bam\ny,b.bam\n", f"subsample_table: sub.{suffix}\n")
    (pep / f"sub.{suffix}").write_text(table)
    assert bams(resolve_sheet(config)) == {"x": "a.bam", "y": "b.bam"}


def test_a_subsample_without_a_sample_is_a_warning(pep: Path) -> None:
    table = "sample_name,bam\nx,a.bam\nx,b.bam\nX,c.bam\n"
    config = project(pep, "sample_name,bam\nx,several\n", "subsample_table: sub.csv\n", sub__csv=table)
    samples, (warning,) = read_sheet(config)
    assert bams(samples) == {"x": "a.bam b.bam"}
    assert (warning.severity, warning.sample, warning.row) == ("warning", "", None)
    assert "'X'" in warning.text


@pytest.mark.parametrize(
    "text",
    [
        b"sample_name,bam\nx,a.bam\ny,b.bam\n",
        b"sample_name,bam\r\nx,a.bam\r\ny,b.bam\r\n",
        b"sample_name,bam\rx,a.bam\ry,b.bam",
        b"\xef\xbb\xbfsample_name,bam\r\nx,a.bam\r\ny,b.bam\r\n",
        b'\xef\xbb\xbf"sample_name","bam"\n"x","a.bam"\n"y","b.bam"\n',
        b"\nsample_name,bam,,\n,,,\nx,a.bam,,\n\n,,,\ny,b.bam,,\n,,,\n",
    ],
    ids=["LF", "CRLF", "CR", "BOM", "BOM and quotes", "empty rows and columns"],
)
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_ways_to_write_a_table(pep: Path, text: bytes, suffix: str) -> None:
    config = project(pep, "")
    table = pep / f"table.{suffix}"
    table.write_bytes(text.replace(b",", b"," if suffix == "csv" else b"\t"))
    config.write_text(f'\ufeffpep_version: "2.1.0"\r\nsample_table: table.{suffix}\r\n')
    assert bams(resolve_sheet(table)) == bams(resolve_sheet(config)) == {"x": "a.bam", "y": "b.bam"}


def test_a_sheet_of_diffbind_with_cr_line_ends(data: Path, tmp_path: Path) -> None:
    table = data / "peaks-diffbind-er-chr18" / "tamoxifen.csv"
    config = tmp_path / "project_config.yaml"
    config.write_text(f"pep_version: 2.1.0\nsample_table: {table}\nsample_table_index: SampleID\n")
    rows = read_pep(config).rows
    assert [row.name for row in rows][:3] == ["BT4741", "BT4742", "MCF71"]
    assert rows[-1].attributes["Peaks"] == ["peaks/ZR75_ER_2.bed.gz"]
    samples, problems = read_sheet(config, bam="bamReads", peaks="Peaks")
    assert samples == []
    assert {problem.kind for problem in problems} == {"paths"}
    assert len(problems) == 2 * len(rows)


def test_a_project_of_ngs_toolkit(pep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attributes and paths of ngs_toolkit (PEP 2), with several lanes in a merge table."""
    config = """project_name: example_project
metadata: {output_dir: $HOME/example_project, results_subdir: data}
sample_attributes: [sample_name, genotype]
subsample_table: merge_table.csv
sample_modifiers:
  append: {aligned_filtered_bam: filtered, peaks: peaks, summits: summits}
  imply:
    - if: {organism: human}
      then: {genome: hg38}
  derive:
    attributes: [data_source, aligned_filtered_bam, peaks, summits]
    sources:
      bsf: /scratch/{flowcell}/{flowcell}_{lane}_samples/{flowcell}_{lane}#{BSF_name}.bam
      local: $NOWHERE/{sample_name}.bam
      filtered: $DATA/{sample_name}/mapped/{sample_name}.trimmed.bowtie2.filtered.bam
      peaks: $DATA/{sample_name}/peaks/{sample_name}_peaks.narrowPeak
      summits: $DATA/{sample_name}/peaks/{sample_name}_summits.bed
"""
    names = ["ATAC-seq_KOA_r1", "ATAC-seq_WT_r1"]
    monkeypatch.setenv("DATA", str(pep / "data"))
    table = "sample_name,toggle,genotype,organism,data_source\n"
    table += "".join(f"{name},1,KO_A,human,local\n" for name in names) + "failed,0,WT,human,local\n"
    merge = f"sample_name,flowcell,lane,BSF_name,data_source\n{names[0]},C1,1,s,bsf\n{names[0]},C1,2,s,bsf\n"
    path = project(pep, table, config, merge_table__csv=merge)
    for name in names:
        for file in ("mapped/{}.trimmed.bowtie2.filtered.bam", "peaks/{}_peaks.narrowPeak", "peaks/{}_summits.bed"):
            (pep / "data" / name / file.format(name)).parent.mkdir(parents=True, exist_ok=True)
            (pep / "data" / name / file.format(name)).touch()
    first, second = resolve_sheet(path, bam="aligned_filtered_bam", peaks="summits")
    assert list(second.get_columns()) == [
        "sample_name",
        "bam",
        "peaks",
        "toggle",
        "genotype",
        "organism",
        "data_source",
        "genome",
    ]
    assert second.files == [f"{pep}/data/{names[1]}/mapped/{names[1]}.trimmed.bowtie2.filtered.bam"]
    assert second.peaks == [f"{pep}/data/{names[1]}/peaks/{names[1]}_summits.bed"]
    assert first.attributes["data_source"] == [f"/scratch/C1/C1_{lane}_samples/C1_{lane}#s.bam" for lane in (1, 2)]


def test_a_link_to_a_pep_stands_for_the_pep(pep: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.yaml"
    link.symlink_to(project(pep, "sample_name,bam\nx,a.bam\n"))
    assert resolve_sheet(link)[0].files == [f"{pep}/a.bam"]


TABLE = "sample_name,bam\nx,a.bam\n"


@pytest.mark.parametrize(
    ("config", "essentials"),
    [
        ("", ["expected a project configuration", "nothing"]),
        ("just words", ["expected a project configuration", "a single value"]),
        ("a: [", ["is not valid YAML", "line 1"]),
        ("pep_version: 2.1.0", ["no sample_table", "other PEPs import"]),
        (
            "metadata: {sample_annotation: samples.csv}",
            ["no sample_table", "`metadata` is of PEP 1", "pep_version: 2.1.0"],
        ),
        ("pep_version: 1.0.0\nsample_table: samples.csv", ["PEP version is invalid: 1.0.0"]),
        ("pep_version: 2.1\nsample_table: samples.csv", ["2.1 is a number", '"2.1.0"']),
        ("sample_table: gone.csv", ["gone.csv: cannot be read: No such file"]),
        ("sample_table: [samples.csv]", ["expected the path of a table, found ["]),
        ("sample_table: samples.xls", ["samples.xls: expected a table called .csv or .tsv, found .xls"]),
        ("sample_table: samples.csv\nsubsample_table: gone.csv", ["gone.csv: cannot be read"]),
        (
            "sample_table: samples.csv\nsubsample_table: other.csv",
            ["other.csv: a subsample table has to have the column 'sample_name'; found: 'id'", ".csv: "],
        ),
        (
            "sample_table: samples.csv\nproject_modifiers: {imports: [part.yaml]}",
            ["unknown key imports", "import, amend"],
        ),
        ("sample_table: samples.csv\nproject_modifiers: {import: part.yaml}", ["must be a list", "[part.yaml]"]),
        ("sample_table: samples.csv\nproject_modifiers: {import: [gone.yaml]}", ["does not exist", "gone.yaml"]),
        ("sample_table: samples.csv\nproject_modifiers:", ["project_modifiers must hold some of import, amend"]),
        ("sample_table: samples.csv\nsample_modifiers: {deriv: {}}", ["unknown key deriv", "derive"]),
        ("sample_table: samples.csv\nsample_modifiers: [append]", ["sample_modifiers must hold some of append"]),
        ("sample_table: samples.csv\nsample_modifiers: {append: [bam]}", ["append: expected pairs of key and value"]),
        ("sample_table: samples.csv\nsample_modifiers: {remove: bam}", ["remove: expected a list, found 'bam'"]),
        ("sample_table: samples.csv\nsample_modifiers: {imply: {if: {}}}", ["imply: expected a list"]),
        ("sample_table: samples.csv\nsample_modifiers: {imply: [{if: {a: b}}]}", ["imply section is invalid"]),
        (
            "sample_table: samples.csv\nsample_modifiers: {imply: [{if: {a: yes}, then: {b: c}}]}",
            ["a: YAML makes True"],
        ),
        (
            "sample_table: samples.csv\nsample_modifiers: {derive: {attributes: [bam]}}",
            ["derive needs attributes", "sources"],
        ),
        ("sample_table: samples.csv\nsample_modifiers: {derive: {source: {}}}", ["unknown key source"]),
    ],
)
def test_a_configuration_that_peppy_would_misread(pep: Path, config: str, essentials: list[str]) -> None:
    path = project(pep, TABLE, other__csv="id\nx\n", part__yaml="")
    path.write_text(config)
    with pytest.raises(UserError) as error:
        resolve_sheet(path)
    for essential in [*essentials, f"{pep}/"]:
        assert essential in str(error.value)


@pytest.mark.parametrize(
    "config", ["sample_modifiers:\n", "sample_modifiers: {append: , imply: []}\n", "subsample_table:\n"]
)
def test_empty_sections_do_nothing(pep: Path, config: str) -> None:
    assert bams(resolve_sheet(project(pep, TABLE, config))) == {"x": "a.bam"}


@pytest.mark.parametrize(
    ("table", "essentials"),
    [
        (b"", ["samples.csv: is empty"]),
        (b"sample_name,bam\n", ["at least one sample"]),
        (b"sample_name,bam\n,\n", ["at least one sample"]),
        (b"name,bam\nx,a.bam\n", ["no column 'sample_name'", "'name', 'bam'", "sample_table_index"]),
    ],
)
@pytest.mark.parametrize("plain", [True, False], ids=["plain table", "PEP"])
def test_a_table_that_cannot_be_used(pep: Path, table: bytes, essentials: list[str], plain: bool) -> None:
    config = project(pep, "")
    (pep / "samples.csv").write_bytes(table)
    with pytest.raises(UserError) as error:
        resolve_sheet(pep / "samples.csv" if plain else config)
    for essential in essentials:
        assert essential in str(error.value)


def test_a_column_with_a_name_that_peppy_uses_is_refused_in_a_pep_alone(pep: Path) -> None:
    config = project(pep, "sample_name,bam,_project\nx,a.bam,1\n")
    with pytest.raises(UserError, match="must not be called '_project', which peppy uses itself; rename it"):
        resolve_sheet(config)
    (sample,) = resolve_sheet(pep / "samples.csv")
    assert sample.attributes["_project"] == ["1"]


def test_a_pep_of_another_kind_is_refused(pep: Path) -> None:
    project(pep, TABLE)
    (pep / "samples.txt").write_text(TABLE)
    for path, essential in (
        (pep, "a folder"),
        (pep / "gone.yaml", "no such file"),
        (pep / "samples.txt", "expected a table called .csv or .tsv, found .txt"),
    ):
        with pytest.raises(UserError, match=essential):
            resolve_sheet(path)


def test_amendments_that_cannot_be_had_are_refused(pep: Path) -> None:
    config = project(pep, TABLE, "project_modifiers:\n  amend:\n    small: {sample_table: samples.csv}\n")
    with pytest.raises(UserError, match="'nosuch' not found.*small"):
        resolve_sheet(config, ["nosuch"])
    with pytest.raises(UserError, match="a plain table has no amendments, found small"):
        resolve_sheet(pep / "samples.csv", ["small"])


@pytest.mark.parametrize(
    ("table", "sources", "problem"),
    [
        (
            "x,src9,a",
            "src: '{id}.bam', other: b",
            "no such file: PEP/src9 (the derive source 'src9' is not one of src, other)",
        ),
        ("x,src,a", "src: '{nothing}.bam'", "{nothing} was not filled: PEP/{nothing}.bam"),
        (
            "x,src,a",
            "src: '{sample.id}.bam'",
            "no such file: PEP/src (the derive source 'src' cannot be filled: {sample.id}.bam)",
        ),
        ("x,src,a", "src: '$UNSET_9/{id}.bam'", "$UNSET_9 was not filled: PEP/$UNSET_9/a.bam"),
        ("x,src,a", "src: '${UNSET_9}/{id}.bam'", "${UNSET_9} was not filled: PEP/${UNSET_9}/a.bam"),
        ("x,src,z", "src: '{id}*.bam'", "no file matches PEP/z*.bam"),
    ],
)
def test_a_path_that_is_not_derived_is_a_problem(pep: Path, table: str, sources: str, problem: str) -> None:
    samples, problems = read_sheet(project(pep, f"sample_name,bam,id\n{table}\n", derive(sources)))
    assert samples == []
    assert [(p.kind, p.text) for p in problems] == [("paths", f"bam: {problem}".replace("PEP", str(pep)))]


def test_sources_that_need_as_many_values_each(pep: Path) -> None:
    config = project(
        pep,
        "sample_name,bam\nx,src\n",
        "subsample_table: [one.csv, two.csv]\n" + derive("src: '{file}{lane}.bam'"),
        one__csv="sample_name,file\nx,a\nx,b\n",
        two__csv="sample_name,lane\nx,1\nx,2\nx,3\n",
    )
    (problem,) = read_sheet(config)[1]
    assert "'src' cannot be filled: {file}{lane}.bam" in problem.text


def test_a_valid_pep_is_read_in_silence(pep: Path, capfd: pytest.CaptureFixture[str], recwarn: Any) -> None:
    modifiers = derive("src: '{file}.bam', other: '$UNSET_9/{file}'", "bam, elsewhere").replace(
        "derive", "append: {elsewhere: other}\n  derive"
    )
    table = "sample_name,file\nx,a\nx,b\n"
    config = project(pep, "sample_name,bam\nx,src\n", f"subsample_table: sub.csv\n{modifiers}", sub__csv=table)
    config.write_text(config.read_text().replace("pep_version: 2.1.0\n", ""))
    samples, problems = read_sheet(config)
    assert bams(samples) == {"x": "a.bam b.bam"}
    assert problems == []
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def large(folder: Path, number: int) -> Path:
    """Write a PEP with two BAM files for each of many samples."""
    names = [f"s{i}" for i in range(number)]
    path = project(
        folder,
        "sample_name,bam,file\n" + "".join(f"{name},src,1\n" for name in names),
        derive("src: '{sample_name}.{file}.bam'"),
        sub__csv="sample_name,file\n" + "".join(f"{name},{file}\n" for name in names for file in (1, 2)),
    )
    for name in names:
        (folder / f"{name}.1.bam").touch()
        (folder / f"{name}.2.bam").touch()
    return path


def test_checks_cost_little(pep: Path) -> None:
    """Compared with peppy itself: whatever else runs here slows down both."""
    path = large(pep, 2000)
    start = time.process_time()
    peppy.Project(str(path))
    seconds = time.process_time() - start
    start = time.process_time()
    assert len(resolve_sheet(path)) == 2000
    assert time.process_time() - start < 3 * seconds


def test_time_is_linear_in_the_samples(pep: Path) -> None:
    """Peppy alone takes a minute for a subsample table with two rows for each of 10,000 samples."""
    seconds = []
    gc.freeze()  # what other tests of this process left behind is no matter of the time
    for number in (500, 2000):
        path = large(pep, number)
        path.write_text(path.read_text() + "subsample_table: sub.csv\n")
        times = []
        for _ in range(2):  # the better one, as other things go on as well
            start = time.process_time()
            assert len(resolve_sheet(path)) == number
            times.append(time.process_time() - start)
        seconds.append(min(times))
    gc.unfreeze()
    assert seconds[1] < 8 * seconds[0]
