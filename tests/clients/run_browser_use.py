"""browser-use: a whole episode on a local page, each step with a screenshot and a strict schema of actions."""

import asyncio
import http.server
import os
import shutil
import tempfile
import threading

from asked import FEATURE, URL, no_such

if FEATURE != "schema":
    no_such()
os.environ |= {"ANONYMIZED_TELEMETRY": "false", "BROWSER_USE_CLOUD_SYNC": "false", "BROWSER_USE_VERSION_CHECK": "false"}
os.environ |= {"BROWSER_USE_CONFIG_DIR": tempfile.mkdtemp(), "TIMEOUT_BrowserStartEvent": "120"}
from browser_use import Agent, Browser
from browser_use.llm import ChatOpenAI

SENT = []


class Pages(http.server.BaseHTTPRequestHandler):
    """A form, and what it leads to."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        SENT.extend([query] * (path == "/thanks"))
        form = "<form action=/thanks><input name=who aria-label='Your name'><button>Send</button></form>"
        body = "<h1>Thank you, Ada</h1>" if path == "/thanks" else form
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(f"<!doctype html><title>A form</title><body>{body}".encode())

    def log_message(self, *_):
        pass


async def episode():
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    screen = {"width": 560, "height": 420}
    browser = Browser(
        headless=True,
        executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
        chromium_sandbox=False,
        enable_default_extensions=False,
        viewport=screen,
        window_size=screen,
    )
    first = [{"navigate": {"url": f"http://127.0.0.1:{pages.server_port}/", "new_tab": False}}]
    model = ChatOpenAI(model="tiny", base_url=URL, api_key="none", timeout=200)
    waits = {"llm_timeout": 200, "step_timeout": 220}
    agent = Agent(
        "Send the form with the name Ada.", llm=model, browser=browser, initial_actions=first, use_judge=False, **waits
    )
    history = await agent.run(max_steps=8)
    assert history.is_done(), history.errors()
    assert history.final_result() == "sent", history.final_result()
    assert SENT == ["who=Ada"], SENT
    assert not any(history.errors()), history.errors()
    print(len(history.history), "steps")


asyncio.run(episode())
