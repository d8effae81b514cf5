"""Screens drawn without a browser: windows and phones with named widgets, and what to do on them."""
