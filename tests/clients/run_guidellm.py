"""guidellm as its documents start it: some requests by two clients, and its own report of them."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from asked import FEATURE, QUESTION, URL, no_such

if FEATURE != "stream":
    no_such()
folder = Path(tempfile.mkdtemp())
asks = "".join(json.dumps({"prompt": f"{QUESTION} {i}", "output_tokens_count": 8}) + "\n" for i in range(8))
(folder / "asks.jsonl").write_text(asks)
command = [
    *(str(Path(sys.executable).with_name("guidellm")), "run", "--disable-console"),
    *("--backend", f"kind=openai_http,target={URL.removesuffix('/v1')},model=tiny"),
    *("--profile", "kind=concurrent,streams=2", "--constraint", "kind=max_requests,count=4"),
    *("--data", f"kind=json_file,path={folder}/asks.jsonl", "--output", f"kind=json,path={folder}/report.json"),
]
subprocess.run(command, check=True, cwd=folder)
metrics = json.loads((folder / "report.json").read_text())["benchmarks"][0]["metrics"]
totals = metrics["request_totals"]
assert totals["successful"] > 0, totals
assert totals["errored"] == 0, totals
assert metrics["output_token_count"]["successful"]["mean"] == 8  # `ignore_eos` holds
assert metrics["time_to_first_token_ms"]["successful"]["median"] > 0
