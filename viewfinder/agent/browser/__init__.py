"""A browser as an environment: Playwright drives Debian's Chromium or the user's own."""

from viewfinder.agent.browser.chromium import Chromium as Chromium
from viewfinder.agent.browser.environment import BrowserEnvironment as BrowserEnvironment
