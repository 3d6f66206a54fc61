"""The plugin's documents: what they say is so, and their examples work."""

import dataclasses
import os
import re
from pathlib import Path

import pytest
import yaml

from one_host_slurm import OneHostSlurm
from plugin_helpers import PROJECT, command, stand_in, succeed
from snakemake_executor_plugin_divvy import ExecutorSettings
from snakemake_executor_plugin_divvy.compute_packages import load_package
from snakemake_executor_plugin_divvy.schedulers import SCHEDULERS, Scheduler, State
from snakemake_executor_plugin_divvy.summary import Ended, Usage, build_table

DOCS = PROJECT / "docs"
PAGES = [DOCS / "intro.md", DOCS / "further.md"]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def settings() -> set[str]:
    return {f"divvy-{field.name.replace('_', '-')}" for field in dataclasses.fields(ExecutorSettings)}


def test_the_options_that_are_named_exist_and_all_are_named() -> None:
    text = "".join(page.read_text() for page in PAGES)
    named = set(re.findall(r"--(divvy-[\w-]+)", text)) | set(re.findall(r"^(divvy-[\w-]+):", text, re.MULTILINE))
    assert named == settings()
    for document in ("README.md", "CHANGELOG.md"):
        assert set(re.findall(r"--(divvy-[\w-]+)", (PROJECT / document).read_text())) <= settings()


def test_the_options_of_snakemake_that_are_named_exist() -> None:
    from snakemake.cli import get_argument_parser

    text = "".join(page.read_text() for page in PAGES)
    of_others = {"--parsable", "--version", "--no-header", "--format"}
    prose = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    named = {option for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", prose) if not option.startswith("--divvy-")}
    known = {option for action in get_argument_parser()._actions for option in action.option_strings}
    assert named - of_others <= known


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, PROJECT / "README.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        file = page.parent / target if target else page
        assert file.is_file(), target
        assert not anchor or anchor in anchors(file), anchor


@each_page
def test_pages_fit_into_the_catalogue(page: Path) -> None:
    """It puts them under headings of its own, and converts them to RST, which has no code within links."""
    text = page.read_text()
    assert not re.search(r"^# \w", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    assert not re.search(r"\[[^\]\n]*`[^\]\n]*\]\(", text)
    assert max(map(len, (line for line in text.splitlines() if not line.startswith("|")))) <= 120


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md"])
def test_what_pypi_shows_has_only_absolute_links(document: str) -> None:
    targets = re.findall(r"\]\(([^)]*)\)", (PROJECT / document).read_text())
    assert all(target.startswith("https://") for target in targets)


@pytest.mark.slow
@pytest.mark.xdist_group("slurm")
def test_the_commands_of_the_readme_run(slurm: OneHostSlurm, tmp_path: Path) -> None:
    (code,) = blocks(PROJECT / "README.md", "sh")
    install, rest = code.split("\n", 1)
    assert install.startswith("pip install snakemake-executor-plugin-divvy ")
    rule = "rule align:\n    output: 'aligned'\n    shell: 'touch {output}; echo $SLURM_JOB_PARTITION >> partitions'\n"
    (tmp_path / "Snakefile").write_text(rule)
    again = rest.replace("align:mem_mb=24000", "align:mem_mb=700 --forceall")  # as much as the nodes here have
    env = {"SLURM_CONF": slurm.env["SLURM_CONF"], "HOME": str(tmp_path)}
    said = succeed(command("bash", "-euo", "pipefail", "-c", again, folder=tmp_path, **env))
    assert "apptainer_slurm" in said
    assert (tmp_path / "partitions").read_text() == "shortq\nlongq\n"


def test_the_table_of_schedulers() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| `(.*)` \| `(.*)` \|$", PAGES[1].read_text(), re.MULTILINE)
    assert {row[0] for row in rows} == set(SCHEDULERS)
    for name, listed, memory, time in rows:
        scheduler = SCHEDULERS[name]
        assert re.findall("`(.*?)`", listed) == list(scheduler.commands)
        assert (memory, time) == (scheduler.memory(4000), scheduler.time(90))


def test_the_example_of_a_template_renders(tmp_path: Path) -> None:
    site, profile = (yaml.safe_load(block) for block in blocks(PAGES[1], "yaml"))
    (template,) = blocks(PAGES[1], "sh")
    (tmp_path / "templates").mkdir()
    (tmp_path / site["compute_packages"]["slurm"]["submission_template"]).write_text(template)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site))
    variables = {"JOBNAME": "job", "LOGFILE": "/log", "CORES": "2", "MEM": "4000", "CODE": "bash '/a folder/job.sh'"}
    script = load_package(str(tmp_path / "site.yaml"), "slurm").render(variables, tmp_path / "x")
    assert "--mem='4000'\n#SBATCH --partition='shortq'\n\nbash " in script
    assert "--time" not in script
    assert {key for key in profile if key.startswith("divvy-")} <= settings()


def test_the_example_of_a_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = (block for block in blocks(PAGES[1], "python") if "Scheduler(" in block)
    assert len(example.splitlines()) <= 15
    (flux,) = eval(f"{{{example}}}", {"Scheduler": Scheduler}).values()
    answers = 'case "$1" in batch) echo fA8tn;; jobs) echo "fA8tn|CANCELED|cancel"; echo "fA8to|RUN|";; esac'
    stand_in(tmp_path, "flux", answers)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert flux.submit("flux batch", tmp_path / "x") == "fA8tn"
    states = flux.states(["fA8tn", "fA8to"])
    assert states == {"fA8tn": State("CANCELED", "cancel"), "fA8to": State("RUN")}
    assert flux.word(states["fA8tn"]) == "CANCELLED"
    assert flux.time(90) == "90m"


def test_the_example_of_the_table() -> None:
    def end(rule: str, queued: float, ran: float, **more: object) -> Ended:
        sizes = {"align": (8, 4000), "small": (1, 1000)}
        values = {"word": "", "attempt": 1, "id": "1", "cores": sizes[rule][0], "memory": sizes[rule][1], **more}
        return Ended(rule=rule, queued=queued, ran=ran, **values)  # type: ignore[arg-type]

    ended = [end("align", 90, 845) for _ in range(10)]
    ended += [end("align", 90, 845, word="OUT_OF_MEMORY", id="2") for _ in range(2)]
    ended += [end("align", *times, attempt=2, id="3", memory=8000) for times in [(300, 1930), (90, 845)]]
    ended += [end("small", 40, 3, id="4") for _ in range(999)] + [end("small", 70, 8, id="4")]
    usage = {"1": Usage(3100, 62192), "2": Usage(4000, 12168), "3": Usage(7810, 19980), "4": Usage(210, 2137)}
    example = "".join(f"    {line}\n" for line in build_table(ended, usage))
    assert f"divvy: the jobs of this run\n{example}```" in PAGES[1].read_text()
