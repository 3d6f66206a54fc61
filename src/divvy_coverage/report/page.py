"""The report as one page: all data and programs are in it, and nothing is loaded from elsewhere."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
import jinja2
import vl_convert
import yaml

from divvy_coverage.report.charts import CONFIG
from divvy_coverage.report.data import Run
from divvy_coverage.report.flags import RULES
from divvy_coverage.report.sections import Plot, Section
from divvy_coverage.report.table import general_statistics, of

MOST_FINDINGS = 200  # listed; of more, their number is told


class Columns:
    """Columns of numbers and texts, each kept once, however many plots use it."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def add(self, values: Sequence[Any]) -> int:
        """Return the number of a column with these values."""
        return self._numbers.setdefault(compact(values), len(self._numbers))

    def dataset(self, records: Sequence[dict[str, Any]]) -> dict[str, int]:
        """Return the columns of a dataset by field."""
        return {name: self.add([record[name] for record in records]) for name in (records[0] if records else ())}

    def json(self) -> str:
        """Return all columns."""
        return f"[{','.join(self._numbers)}]"


def compact(values: Sequence[Any]) -> str:
    """Return a column as JSON: numbers with 5 digits, whole ones with all; texts that repeat by their number."""
    if any(isinstance(value, str) for value in values) and len(set(values)) <= len(values) // 2:
        levels = {level: code for code, level in enumerate(dict.fromkeys(values))}
        return _json({"levels": list(levels), "codes": [levels[value] for value in values]})
    return _json([_short(value) if isinstance(value, float) else value for value in values])


def embedded(text: str) -> str:
    """Return JSON as it can stand in a page: with nothing that ends its element, or starts another."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _short(number: float) -> float | int | None:
    if number != number or abs(number) == float("inf"):
        return None
    return int(number) if number.is_integer() and abs(number) < 1e15 else float(f"{number:.5g}")


def page_data(run: Run, sections: Sequence[Section]) -> str:
    """Return what the page's program draws: columns, the table of general statistics, and plots."""
    columns = Columns()
    table = _table(run, columns)
    plots = [_plot(plot, columns) for section in sections for plot in section.plots]
    rest = _json({"config": CONFIG, "table": table, "plots": plots})
    return embedded(f'{rest[:-1]},"columns":{columns.json()}}}')


def _plot(plot: Plot, columns: Columns) -> dict[str, Any]:
    datasets = {name: columns.dataset(records) for name, records in plot.spec.get("datasets", {}).items()}
    return {
        "id": plot.id,
        "spec": {key: value for key, value in plot.spec.items() if key != "datasets"},
        "datasets": datasets,
        "choices": [[encoding for _, encoding in options] for options in plot.choices.values()],
        "renderer": plot.renderer,
    }


def _table(run: Run, columns: Columns) -> dict[str, Any]:
    """Return the table of general statistics: its columns, and the cells that are conspicuous."""
    names = [sample["sample_name"][0] for sample in run.samples]
    told: list[dict[str, Any]] = [{"title": "Sample", "form": "text", "help": "", "column": columns.add(run.labels)}]
    if names != run.labels:
        told.append({"title": "Name", "form": "text", "help": "sample_name", "column": columns.add(names)})
    places = {}
    for column, name, numbers in general_statistics(run):
        places[name, column.name] = len(told)
        title = f"{column.title} ({name})" if name and len(run.region_sets) > 1 else column.title
        text = {"title": title, "form": column.form, "help": column.help, "high": column.high}
        told.append(text | {"column": columns.add(numbers)})
    rows = {label: row for row, label in enumerate(run.labels)}
    marks = [
        [rows[found.sample], places.get((found.region_set, found.column), 0), f"{found.kind}: {found.text}"]
        for found in run.findings
    ]
    return {"columns": told, "marks": marks}


def render(run: Run, sections: Sequence[Section]) -> str:
    """Return the page."""
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    data = page_data(run, sections)
    return environment.get_template("report.html.j2").render(
        run=run,
        sections=sections,
        rules=RULES,
        figures=_figures(run),
        most_findings=MOST_FINDINGS,
        config=yaml.safe_dump(run.provenance.get("config", {}), sort_keys=False, allow_unicode=True),
        data=data,
        bundle=_bundle(),
        nonce=hashlib.sha256(data.encode()).hexdigest()[:32],
    )


def _figures(run: Run) -> list[tuple[str, str]]:
    """Return the first numbers to see, with what they are."""
    told = {"samples": len(run), "excluded": len(run.excluded), "conspicuous": run.conspicuous}
    found = [(f"{number:,}", what) for what, number in told.items()]
    for region_set in run.region_sets:
        name = f", {region_set.name}" if len(run.region_sets) > 1 else ""
        found.append((f"{len(region_set.regions):,}", f"regions{name}"))
        numbers = [number for number in of(region_set, "frip") if number is not None]
        found.append((f"{median(numbers):.1%}" if numbers else "–", f"median FRiP{name}"))
    return found


def _bundle() -> str:
    """Return Vega, Vega-Lite and vega-embed as one program."""
    version = ".".join(alt.VEGALITE_VERSION.removeprefix("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")
