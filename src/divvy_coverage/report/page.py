"""The report as one page: all data and programs are in it, and nothing is loaded from elsewhere."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
import jinja2
import vl_convert
import yaml

from divvy_coverage.files import replacing
from divvy_coverage.report.charts import CONFIG
from divvy_coverage.report.data import Run
from divvy_coverage.report.flags import describe_criteria
from divvy_coverage.report.sections import Plot, Section, build_sections
from divvy_coverage.report.table_columns import get_values, select_columns

TEMPLATES = Path(__file__).parent / "templates"
MOST_LISTED = 200  # problems and flags; the number of further ones is given


class Columns:
    """Columns of numbers and texts, each kept once, however many plots use it."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def add(self, values: Sequence[Any]) -> int:
        """Return the number of a column with these values."""
        return self._numbers.setdefault(encode_column(values), len(self._numbers))

    def add_dataset(self, records: Sequence[dict[str, Any]]) -> dict[str, int]:
        """Return the numbers of the columns of a dataset by field."""
        return {name: self.add([record[name] for record in records]) for name in (records[0] if records else ())}

    def to_json(self) -> str:
        """Return all columns as JSON."""
        return f"[{','.join(self._numbers)}]"


def encode_column(values: Sequence[Any]) -> str:
    """Return a column as JSON: numbers with 5 digits, whole ones with all; texts that repeat as codes of levels."""
    if any(isinstance(value, str) for value in values) and len(set(values)) <= len(values) // 2:
        levels = {level: code for code, level in enumerate(dict.fromkeys(values))}
        return _to_json({"levels": list(levels), "codes": [levels[value] for value in values]})
    return _to_json([_shorten(value) if isinstance(value, float) else value for value in values])


def escape_json(text: str) -> str:
    """Return JSON as it can stand in a page: with nothing that ends its element, or starts another."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _shorten(number: float) -> float | int | None:
    if number != number or abs(number) == float("inf"):
        return None
    return int(number) if number.is_integer() and abs(number) < 1e15 else float(f"{number:.5g}")


def build_data(run: Run, sections: Sequence[Section]) -> str:
    """Return what the page's program draws: columns, the table of general statistics, and plots."""
    columns = Columns()
    table = _build_table(run, columns)
    plots = [_build_plot(plot, columns) for section in sections for plot in section.plots]
    rest = _to_json({"config": CONFIG, "table": table, "plots": plots})
    return escape_json(f'{rest[:-1]},"columns":{columns.to_json()}}}')


def _build_plot(plot: Plot, columns: Columns) -> dict[str, Any]:
    datasets = {name: columns.add_dataset(records) for name, records in plot.spec.get("datasets", {}).items()}
    return {
        "id": plot.id,
        "spec": {key: value for key, value in plot.spec.items() if key != "datasets"},
        "datasets": datasets,
        "choices": [[encoding for _, encoding in options] for options in plot.choices.values()],
        "renderer": plot.renderer,
    }


def _build_table(run: Run, columns: Columns) -> dict[str, Any]:
    """Return the table of general statistics: its columns, and the cells that are flagged."""
    table: list[dict[str, Any]] = [{"title": "Sample", "form": "text", "help": "", "column": columns.add(run.labels)}]
    if run.names != run.labels:
        table.append({"title": "Name", "form": "text", "help": "sample_name", "column": columns.add(run.names)})
    places = {}
    for column, name, numbers in select_columns(run):
        places[name, column.name] = len(table)
        title = f"{column.title} ({name})" if name and len(run.region_sets) > 1 else column.title
        texts = {"title": title, "form": column.form, "help": column.help, "high": column.high}
        table.append(texts | {"column": columns.add(numbers)})
    rows = {label: row for row, label in enumerate(run.labels)}
    flags = [
        [rows[flag.sample], places.get((flag.region_set, flag.column), 0), f"{flag.kind}: {flag.text}"]
        for flag in run.flags
    ]
    return {"columns": table, "flags": flags}


def write_page(run: Run, path: Path) -> None:
    """Write the page of a run."""
    with replacing(path) as temporary:
        temporary.write_text(render_page(run, build_sections(run)), encoding="utf-8")


def render_page(run: Run, sections: Sequence[Section]) -> str:
    """Return the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    data = build_data(run, sections)
    return environment.get_template("page.html.j2").render(
        run=run,
        sections=sections,
        criteria=describe_criteria(run.counted),
        figures=_build_figures(run),
        most_listed=MOST_LISTED,
        config=yaml.safe_dump(run.provenance.get("config", {}), sort_keys=False, allow_unicode=True),
        counting=yaml.safe_dump(run.counting, sort_keys=False, default_flow_style=None, width=100),
        data=data,
        bundle=_build_bundle(),
        nonce=hashlib.sha256(data.encode()).hexdigest()[:32],
    )


def _build_figures(run: Run) -> list[tuple[str, str]]:
    """Return the first numbers to see, with what they are."""
    numbers = {"samples": len(run), "excluded": run.number_excluded, "flagged": run.number_flagged}
    figures = [(f"{number:,}", what) for what, number in numbers.items()]
    for region_set in run.region_sets:
        name = f", {region_set.name}" if len(run.region_sets) > 1 else ""
        figures.append((f"{len(region_set.regions):,}", f"regions{name}"))
        frip = [number for number in get_values(region_set, "frip") if number is not None]
        figures.append((f"{median(frip):.1%}" if frip else "–", f"median FRiP{name}"))
    return figures


@cache  # the same for every page, and seconds of work
def _build_bundle() -> str:
    """Return Vega, Vega-Lite and vega-embed as one program."""
    version = ".".join(alt.VEGALITE_VERSION.removeprefix("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
