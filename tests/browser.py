"""Runs a page in headless Chromium with a script that acts as its user, and reads what the script found."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--virtual-time-budget=20000",
)  # fmt: skip
BEFORE = """<script>
window.problems = [];
window.addEventListener("error", (event) => window.problems.push(String(event.message)));
console.error = (...words) => window.problems.push(words.join(" "));
</script>"""
AFTER = """<script>
(async () => {
  const wait = () => new Promise((done) => setTimeout(done, 20));
  const press = async (key) => {
    document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
    await wait();
  };
  const pointer = (canvas, type, x, y, buttons = 1) => canvas.dispatchEvent(new PointerEvent(type, {
    pointerId: 1, bubbles: true, clientX: canvas.getBoundingClientRect().left + x,
    clientY: canvas.getBoundingClientRect().top + y, buttons }));
  HTMLCanvasElement.prototype.setPointerCapture = () => {};
  const found = {};
  try { await (async () => { SCRIPT })(); } catch (error) { window.problems.push(String(error.stack || error)); }
  const out = document.createElement("pre");
  out.id = "found-by-test";
  out.textContent = JSON.stringify({ found, problems: window.problems });
  document.body.append(out);
})();
</script>"""


def act(page: Path, script: str, width: int = 1600, height: int = 1000, is_dark: bool = False) -> dict[str, Any]:
    """What `script` puts into `found`; fails for any error in the console. Needs a browser named chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs a headless Chromium on the PATH")
    text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{BEFORE}", 1)
    acted = page.with_name(f"acted_{page.name}")
    acted.write_text(text.replace("</body>", AFTER.replace("SCRIPT", script) + "</body>"), encoding="utf-8")
    size, folder = f"--window-size={width},{height}", f"--user-data-dir={page.parent / 'browser'}"
    colours = f"--blink-settings=preferredColorScheme={0 if is_dark else 1}"
    command = [browser, *FLAGS, colours, size, folder, "--dump-dom", acted.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    result = re.search(r'<pre id="found-by-test">(.*?)</pre>', shown, re.DOTALL)
    assert result, f"the script did not end: {shown[-500:]}"
    outcome: dict[str, Any] = json.loads(html.unescape(result.group(1)))
    assert outcome["problems"] == []
    return dict(outcome["found"])
