"""Pages set in type without a browser, with the truth of the setting: every box is measured from the pixels."""
