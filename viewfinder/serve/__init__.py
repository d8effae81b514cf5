"""An OpenAI-compatible server over the batching engine, its playground, and a client for any such server."""
