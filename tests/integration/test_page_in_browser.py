"""The page in a real Chromium: at both widths, without scripts, under its strict policy."""

from __future__ import annotations

import asyncio
import os
import queue
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from api.server import serve_api
from surveillance.serving import ApiOffer, Readiness
from surveillance.store.protocol import Store
from tests.unit.api.field import empty_log, judged, put_incident, silence

pytestmark = pytest.mark.browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDTHS = (390, 1440)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium. Under CI it must be there; elsewhere its absence skips, and says why."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        assert os.environ.get("CI") != "true", "no Chromium under CI"
        pytest.skip("no Chromium here")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield launched
        launched.close()


@contextmanager
def served(store: Store) -> Iterator[str]:
    """The URL of the API over that store, served from a thread of its own."""
    urls: queue.Queue[str] = queue.Queue()
    stop, loop = asyncio.Event(), asyncio.new_event_loop()
    offer = ApiOffer(store, "127.0.0.1", 0, Readiness, bytes, urls.put, wall_time=False)
    thread = threading.Thread(target=loop.run_until_complete, args=[serve_api(offer, stop)])
    thread.start()
    try:
        yield urls.get(timeout=30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def incidents() -> Iterator[str]:
    """The incident of the telemetry, one of the highest level with long names, and a resolved one."""
    store, _ = judged()
    scope = {"site": "general-hospital-of-the-northern-district", "age_band": "75+", "scanner_firmware": "v12.0.3-rc4_build2219"}
    put_incident(store, 1, monitor_id="perf.sensitivity_by_age_and_firmware", level="rollback_or_field_safety", scope=scope)
    put_incident(store, 2, state="resolved", resolved_at="2026-03-02T01:00:00Z")
    with served(store) as url:
        yield url


@contextmanager
def opened(browser: Browser, url: str, width: int, **context: Any) -> Iterator[tuple[Page, list[str]]]:
    """The page, and everything that its console complained of."""
    said: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 900}, **context) as within:
        page = within.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.goto(url)
        yield page, said


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_shows_the_incident_and_the_browser_has_nothing_to_complain_of(
    browser: Browser, incidents: str, width: int
) -> None:
    with opened(browser, incidents, width) as (page, said):
        assert page.get_by_role("heading", name="dq.missing").is_visible()
        assert page.get_by_role("heading", name="Open incidents: 2").is_visible()
        page.wait_for_load_state("networkidle")
    assert said == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(browser: Browser, incidents: str, width: int) -> None:
    with served(judged(silence())[0]) as quiet:
        for url in (incidents, quiet):
            with opened(browser, url, width) as (page, _):
                assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_is_styled_and_reads_the_same_without_scripts(browser: Browser, incidents: str) -> None:
    with (
        opened(browser, incidents, 1440) as (with_scripts, _),
        opened(browser, incidents, 1440, java_script_enabled=False) as (without, _),
    ):
        assert without.inner_text("body") == with_scripts.inner_text("body")
        background = with_scripts.evaluate("getComputedStyle(document.querySelector('article.rollback .level')).backgroundColor")
        assert background == "rgb(163, 21, 26)"


def test_a_script_that_slips_in_is_stopped_by_the_policy(browser: Browser, incidents: str) -> None:
    with opened(browser, incidents, 1440) as (page, said):
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.ran = 1'}))")
        assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in one for one in said)


def test_every_text_has_enough_contrast(browser: Browser, incidents: str) -> None:
    """WCAG AA: 4.5 to 1 for every element that holds text of its own."""
    with served(empty_log()) as bare:
        for url in (incidents, bare):
            with opened(browser, url, 1440) as (page, _):
                assert page.evaluate(LOW_CONTRAST) == []


LOW_CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const holdsText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  return [...document.body.querySelectorAll('*')].filter(holdsText).filter((element) => {
    const pair = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    return (pair[0] + .05) / (pair[1] + .05) < 4.5;
  }).map((element) => element.outerHTML);
}"""
