"""A report in a real browser (Chromium), opened from a file and without a network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import pytest
from selenium import webdriver
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from helpers import need

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PATIENCE = 60  # seconds
# a test that fails in CI runs once more; the summary names it (RERUN)
twice = pytest.mark.flaky(reruns=1, condition=bool(os.environ.get("CI")))


def unavailable() -> str:
    """Why there is no browser; "" if there is one."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    return f"no {' and no '.join(missing)}" if missing else ""


class Page:
    """A page, open in a browser of its own until it is closed."""

    def __init__(self, path: Path, width: int = 1400, height: int = 1000) -> None:
        need(not unavailable(), "chromium", unavailable())
        options = Options()
        options.binary_location = str(shutil.which("chromium"))
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.set_capability("unhandledPromptBehavior", "ignore")
        for flag in (*FLAGS, f"--window-size={width},{height}"):
            options.add_argument(flag)
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.get(path.resolve().as_uri())

    def __enter__(self) -> "Page":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()

    def run(self, code: str, *arguments: object) -> object:
        """Run JavaScript and return what it returns."""
        return self.driver.execute_script(code, *arguments)

    def wait(self, code: str) -> None:
        """Wait until a JavaScript expression holds."""
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.1).until(lambda _: self.run(f"return Boolean({code})"))

    def wait_for_plots(self) -> int:
        """Wait until all plots are drawn, or failed to; return how many there are."""
        self.wait("window.report && report.drawn + report.failed.length === report.plots")
        return int(str(self.run("return report.plots")))

    def errors(self) -> list[str]:
        """What the console holds of errors since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def alerted(self) -> bool:
        """Whether a dialog is open."""
        try:
            self.driver.switch_to.alert.text  # noqa: B018
        except NoAlertPresentException:
            return False
        return True

    def text(self, selector: str = "body") -> str:
        """The text of an element, also of its hidden parts."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def column(self, heading: str) -> list[str]:
        """The cells of a column of the general statistics, as they are shown."""
        headings = self.run("return [...document.querySelectorAll('#table thead th')].map(th => th.textContent)")
        assert isinstance(headings, list)
        place = headings.index(heading)
        found = self.run(
            "return [...document.querySelectorAll('#table tbody tr')].map(tr => tr.children[arguments[0]].textContent)",
            place,
        )
        assert isinstance(found, list)
        return found

    def sort(self, heading: str) -> None:
        """Click on a heading of the general statistics."""
        buttons = self.driver.find_elements(By.CSS_SELECTOR, "#table thead button")
        button = next(button for button in buttons if button.get_attribute("textContent") == heading)
        self.run("arguments[0].click()", button)

    def select(self, plot: str, choice: int) -> Select:
        """A selection of a plot."""
        return Select(self.driver.find_element(By.CSS_SELECTOR, f"select[data-plot='{plot}'][data-choice='{choice}']"))

    def colors(self, plot: str) -> set[str]:
        """The colors of the marks of a plot that is drawn as SVG."""
        found = self.run(
            "return [...document.getElementById(arguments[0]).querySelectorAll('.mark-symbol.role-mark path')]"
            ".map(path => path.getAttribute('fill'))",
            plot,
        )
        assert isinstance(found, list)
        return set(found)

    def sizes(self) -> dict[str, tuple[float, float, str]]:
        """Width, height (pixels) and tag of what each plot is drawn in; 0, 0 and "" of those that are not drawn."""
        found = self.run(
            "return [...document.querySelectorAll('figure')].map(figure => {"
            "  const drawn = figure.querySelector('.plot canvas, .plot svg.marks');"
            "  const box = drawn ? drawn.getBoundingClientRect() : {width: 0, height: 0};"
            "  return [figure.id, box.width, box.height, drawn ? drawn.tagName.toLowerCase() : ''];"
            "})"
        )
        assert isinstance(found, list)
        return {name: (width, height, tag) for name, width, height, tag in found}


@contextmanager
def opened(path: Path, width: int = 1400, height: int = 1000) -> Iterator[Page]:
    """A page whose plots are all drawn."""
    with Page(path, width, height) as page:
        page.wait_for_plots()
        yield page


def check_report(path: Path, samples: int) -> None:
    """Check that a report of `samples` samples opens from its file, draws all its plots, and reports no error."""
    with opened(path) as page:
        assert page.errors() == []
        assert not page.alerted()
        assert page.run("return report.failed") == []
        sizes = page.sizes()
        assert len(sizes) == page.run("return report.plots")
        assert all(width > 100 and height > 50 for width, height, _ in sizes.values()), sizes
        assert (
            page.run("return document.querySelectorAll('link[href], script[src], iframe, img[src^=http]').length") == 0
        )
        assert f"{samples:,} sample" in page.text("h1")
        assert len(page.column("Sample")) == min(samples, 200)


def screenshot(path: Path, picture: Path, width: int = 1400) -> None:
    """Save a picture (PNG) of a whole report."""
    with opened(path, width) as page:
        height = int(str(page.run("return document.documentElement.scrollHeight")))
        page.driver.set_window_size(width, min(height + 200, 16_000))
        page.wait("new Promise(done => setTimeout(() => done(true), 500))")
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.driver.save_screenshot(str(picture))
