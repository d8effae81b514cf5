"""Pages and forms rendered by a browser: the second route, with truth read from the document it laid out."""
