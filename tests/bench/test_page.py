"""The report as one HTML file."""

import re
from xml.etree import ElementTree as ET

import pytest

from serve_app.bench.level import Level
from serve_app.bench.page import html
from tests.bench.made import ONE, answer, results

HOSTILE = answer(error="500: <script>alert(1)</script>")


@pytest.fixture(scope="module")
def page() -> str:
    """Two targets, the second half as fast, at two levels."""

    def answers(name, _number):
        return [answer(ttft_s=0.2 if name == "second" else 0.1)] * 4

    return html(results(levels=(ONE, Level("concurrency", 8)), answers=answers))


def test_it_loads_nothing_and_runs_nothing(page):
    assert not re.findall(r"<(?:script|link|img|iframe)|\bsrc=|@import|url\((?!#)", page)
    assert not re.findall(r'href="(?!#)', page)


def test_it_has_the_numbers_and_says_where_they_are_from(page):
    assert page.count("<td>2.00 (2.00–2.00)</td>") == 2 * 3  # TTFT p50, p95, p99 at both levels
    assert "<li>cores: " in page
    assert "believe" not in page


def test_its_three_plots_are_well_formed_and_name_their_levels(page):
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    distributions, load, ratios = ["".join(ET.fromstring(p).itertext()) for p in plots]
    assert "TTFT ms, concurrency 1" in distributions
    assert "tokens/s out" in load
    assert "÷ first, concurrency 8" in ratios


def test_a_target_that_never_answered_is_reported_and_what_it_says_is_no_markup():
    page = html(results(["alone"], answers=lambda *_: [HOSTILE]))
    assert page.count("<svg") == 2
    assert "3 × 500: &lt;script&gt;" in page
    assert "<script" not in page
