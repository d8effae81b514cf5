"""The command line: `viewfinder ask | locate | point | count | read | inspect ...`."""

from viewfinder.cli.app import main as main
