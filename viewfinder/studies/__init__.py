"""The fourteen questions that the report leaves open, each answered by one command: `viewfinder study NAME`."""
