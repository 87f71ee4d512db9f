"""Makes the pictures of the README from a running Zhiwan: `bin/up` in one window, then

    .venv/bin/python docs/screenshot.py [--data .data]

It signs in by a one-time link like a person, opens the pages and keeps what a person would see at 1366 × 800.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
BROWSER_ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SETTLED = 6_000  # ms: tiles, symbols and the first live values are drawn by then


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=".data", type=Path)
    data = parser.parse_args().data
    url = json.loads((data / "demo.json").read_text(encoding="utf-8"))["url"]
    link = subprocess.run(
        [sys.executable, "-m", "zhiwan.run.cli", "link", "--data", str(data)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    IMAGES.mkdir(exist_ok=True)
    browser_path = os.environ.get("ZHIWAN_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=BROWSER_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1366, "height": 800}, locale="zh-CN", timezone_id="Asia/Shanghai")
        page.goto(link)
        shoot(page, f"{url}/", "map.png")
        page.goto(f"{url}/alarms")
        first = page.locator("a[href^='/alarms/']").first
        if first.count():
            shoot(page, url + str(first.get_attribute("href")), "alarm.png")
        browser.close()


def shoot(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=IMAGES / name)
    sys.stdout.write(f"docs/images/{name}\n")


if __name__ == "__main__":
    main()
