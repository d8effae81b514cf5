#!/usr/bin/env bash
# Installs the system programs that the default tests use and that pip cannot bring: a browser, an X display, a
# mouse and keyboard for it, Tk, a C compiler, and the library that Pillow needs to shape Arabic, Hindi and Thai. Nothing is
# installed that is there already.
#
#   tools/system_packages.sh [PYTHON]     PYTHON: the interpreter whose Tk is asked for
#
# Debian and Ubuntu, as root or with sudo that asks for no password: installed by apt-get. Anywhere else: one line
# with the command to run, and success, because the package itself works without any of these programs.
set -uo pipefail
python=${1:-python3}
packages=()

has() { command -v "$1" >/dev/null 2>&1; }
has_browser() {
  for name in chromium chromium-browser google-chrome google-chrome-stable chrome; do has "$name" && return; done
  "$python" - 2>/dev/null <<'CODE'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as tool:
    sys.exit(not pathlib.Path(tool.chromium.executable_path).exists())
CODE
}

has_browser || packages+=(chromium)
has Xvfb || packages+=(xvfb)
has xdotool || packages+=(xdotool)
"$python" -c 'import ctypes; ctypes.CDLL("libfribidi.so.0")' 2>/dev/null || packages+=(libfribidi0)
has cc || packages+=(gcc libc6-dev)
"$python" -c 'import tkinter' 2>/dev/null || packages+=(python3-tk)
[ ${#packages[@]} -eq 0 ] && exit 0

say() { echo "setup: $*" >&2; }
case "$(id -u):$(has sudo && sudo -n true 2>/dev/null && echo yes)" in
  0:*) as_root=() ;;
  *:yes) as_root=(sudo -n) ;;
  *) as_root=(no) ;;
esac
if ! has apt-get || [ "${as_root[0]:-}" = no ]; then
  say "not installed here: ${packages[*]}. The package works without them; the tests of browsers, windows and the native" \
      "kernel do not. On Debian or Ubuntu: sudo apt-get install --no-install-recommends ${packages[*]}"
  exit 0
fi

apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >/dev/null; }
say "installing ${packages[*]} with apt-get"
apt_get update
# Ubuntu's Chromium is a snap, which a container cannot run: there Playwright brings a build of its own.
if [[ " ${packages[*]} " == *" chromium "* && ! "$(apt-cache policy chromium)" =~ Candidate:\ [0-9] ]]; then
  packages=("${packages[@]/#chromium/}")
  "${as_root[@]}" "$python" -m playwright install --with-deps chromium || exit 1
fi
read -ra packages <<<"${packages[*]}"
[ ${#packages[@]} -eq 0 ] && exit 0
apt_get install -y --no-install-recommends "${packages[@]}" && exit 0
say "apt-get could not install ${packages[*]}; run: sudo apt-get install --no-install-recommends ${packages[*]}"
exit 1
