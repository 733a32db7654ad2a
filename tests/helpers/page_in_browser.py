"""An explorer's page that a test has open in headless Chromium."""

import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-quic"]
_LOADED = "document.getElementById('video').readyState >= 2"


class Page:
    """One page with what went wrong on it."""

    def __init__(self, browser, folder, width=1280, height=900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page = context.new_page()
        self.wrong = []
        self.page.on("console", lambda m: self.wrong.append(m.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(request.url))
        self.page.on("request", lambda r: r.url.startswith("http") and self.wrong.append(r.url))
        self.page.goto((folder / "index.html").as_uri())
        self.page.wait_for_function(_LOADED)

    def run(self, code):
        return self.page.evaluate(code)

    def state(self, name):
        return self.run(f"avatxExplorer.state.{name}")

    def pixels(self, canvas):
        return self.run(f"document.getElementById('{canvas}').toDataURL()")

    def text(self, name):
        return self.page.locator(f"#{name}").inner_text()

    def wait(self, code):
        self.page.wait_for_function(code, timeout=10_000)

    def close(self):
        self.page.context.close()
        assert self.wrong == [], self.wrong
