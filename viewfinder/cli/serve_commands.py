"""`serve` and `export`; and the server that `--server` names, which does the work of every other command."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from viewfinder.cli import options
from viewfinder.cli.options import MissingExtraError, need_serving
from viewfinder.cli.show import working
from viewfinder.outputs.json_lines import read_lines

Host = Annotated[str, typer.Option("--host", help="Address to listen on; others than loopback need a key.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535)]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--api-keys", help="File with a key a line, each a tenant; or set VIEWFINDER_API_KEYS, parted by spaces."
    ),
]
WeakSandbox = Annotated[
    bool, typer.Option("--allow-weak-sandbox", help="Listen beyond loopback where the kernel cannot confine decoders.")
]
OpenToAll = Annotated[bool, typer.Option("--open-to-all", help="Listen beyond loopback without keys.")]
Cors = Annotated[list[str] | None, typer.Option("--cors", help="Web origin that may ask from a browser, repeatable.")]
Hosts = Annotated[list[str] | None, typer.Option("--allowed-host", help="Name this server is called, repeatable.")]
Certificate = Annotated[Path | None, typer.Option("--tls-certificate", help="PEM file.")]
CertificateKey = Annotated[Path | None, typer.Option("--tls-key", help="PEM file.")]
NoUrls = Annotated[bool, typer.Option("--no-urls", help="Fetch nothing; media come in the request.")]
UrlHosts = Annotated[list[str] | None, typer.Option("--url-host", help="Fetch only from this host, repeatable.")]
PrivateUrls = Annotated[bool, typer.Option("--allow-private-urls", help="Fetch from private addresses too.")]
Samples = Annotated[Path | None, typer.Option("--samples", help="Keep answers corrected in the playground here.")]
Prices = Annotated[
    tuple[float, float] | None,
    typer.Option("--prices", help="Dollars for a million tokens read and answered, shown in the playground."),
]
Lenient = Annotated[bool, typer.Option("--lenient", help="List unknown fields in a header of the answer.")]
AccessLog = Annotated[bool, typer.Option("--access-log", help="A line for each request, with its id.")]
Otel = Annotated[
    bool, typer.Option("--otel", help="A span of each request to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names.")
]
Notice = Annotated[
    float, typer.Option("--notice", min=0, help="Seconds for which /ready says 503 before requests are refused.")
]
MaxRunning = Annotated[
    int | None, typer.Option("--max-running", min=1, help="Requests answered at once: 64, on a GPU 256.")
]
MaxWaiting = Annotated[
    int | None, typer.Option("--max-waiting", min=1, help="Requests of one key that may wait: 64, on a GPU 1024.")
]
KvCacheDtype = Annotated[
    str | None,
    typer.Option("--kv-cache-dtype", help="int8: keys and values in 8 bits, room for twice the tokens."),
]
CacheGb = Annotated[
    float | None,
    typer.Option(
        "--cache-gb", min=0.01, help="Memory for keys and values, GiB: 1, on a GPU what is free.", show_default=False
    ),
]
Servers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        help="Whole servers behind the port, each with GPUs of its own or its share of the cores.",
    ),
]
EnforceEager = Annotated[bool, typer.Option("--enforce-eager", help="On a GPU: no CUDA graphs.")]
Workers = Annotated[int, typer.Option("--decode-workers", min=1, help="Processes that decode media.")]
Name = Annotated[str | None, typer.Option("--name", help="What clients call the model.")]
Into = Annotated[Path, typer.Argument(help="Folder to write.")]


def serve(
    model: options.Model = "tiny",
    host: Host = "127.0.0.1",
    port: Port = 8000,
    name: Name = None,
    api_keys: KeyFile = None,
    open_to_all: OpenToAll = False,
    allow_weak_sandbox: WeakSandbox = False,
    cors: Cors = None,
    allowed_host: Hosts = None,
    tls_certificate: Certificate = None,
    tls_key: CertificateKey = None,
    no_urls: NoUrls = False,
    url_host: UrlHosts = None,
    allow_private_urls: PrivateUrls = False,
    samples: Samples = None,
    prices: Prices = None,
    lenient: Lenient = False,
    access_log: AccessLog = False,
    otel: Otel = False,
    notice: Notice = 0.0,
    max_running: MaxRunning = None,
    max_waiting: MaxWaiting = None,
    cache_gb: CacheGb = None,
    workers: Servers = 1,
    decode_workers: Workers = 2,
    max_pixels: options.MaxPixels = None,
    dtype: options.Dtype = None,
    kv_cache_dtype: KvCacheDtype = None,
    enforce_eager: EnforceEager = False,
) -> None:
    need_serving()
    from viewfinder.serve.workers import become_worker, supervise

    worker = become_worker()
    if workers > 1 and worker is None:
        supervise(workers, options.TENSOR_PARALLEL.get(), host, port)
        return
    from viewfinder.engine.scheduler import EngineConfig
    from viewfinder.media.sandbox import SandboxLimits
    from viewfinder.media.source import UrlPolicy
    from viewfinder.serve.run import run
    from viewfinder.serve.settings import ServeSettings

    policy = UrlPolicy(not no_urls, allow_private_urls, tuple(url_host) if url_host else None)
    settings = ServeSettings(
        model_name=name or Path(model).name,
        host=host,
        port=port,
        api_keys=_keys(api_keys),
        open_to_all=open_to_all,
        allow_weak_sandbox=allow_weak_sandbox,
        cors_origins=tuple(cors or ()),
        allowed_hosts=tuple(allowed_host or ()),
        samples=None if samples is None else str(samples),
        prices=prices,
        lenient=lenient,
        access_log=access_log,
        traces=_traces() if otel else None,
        worker=worker,
        notice_seconds=notice,
        sandbox=SandboxLimits(workers=decode_workers),
    )
    settings = dataclasses.replace(settings, limits=dataclasses.replace(settings.limits, url_policy=policy))
    viewfinder = options.load_here(model, dtype, max_pixels=max_pixels, kv_cache_dtype=kv_cache_dtype)
    scheme = "https" if tls_certificate else "http"

    def tell(port: int) -> None:
        typer.echo(f"{settings.model_name} at {scheme}://{host}:{port}/  (playground; API under /v1)", err=True)

    run(
        viewfinder.model,  # type: ignore[arg-type]
        settings,
        config=EngineConfig.for_device(
            viewfinder.model.model.device.type,  # type: ignore[attr-defined]
            max_num_seqs=max_running,
            max_waiting=max_waiting,
            cache_bytes=None if cache_gb is None else int(cache_gb * 2**30),
            enforce_eager=enforce_eager,
        ),
        certificate=tls_certificate,
        key=tls_key,
        on_ready=tell,
    )


def export(into: Into, model: options.Model = "tiny", dtype: options.Dtype = None) -> None:
    if into.exists() and any(into.iterdir()):
        raise typer.BadParameter(f"{into} is not empty; name a new folder")
    viewfinder: Any = options.load_here(model, dtype)
    from viewfinder.model import save_pretrained

    with working(f"writing {into}"):
        save_pretrained(viewfinder.model.model, into)
        viewfinder.processor.save_pretrained(into)
        _write_generation(viewfinder.model, into / "generation_config.json")
    typer.echo(f"{into}\nfor example: vllm serve {into} --served-model-name {Path(model).name}")


def _write_generation(engine: Any, path: Path) -> None:
    sampling = engine.sampling
    fields: dict[str, Any] = {
        "eos_token_id": list(engine.eos_token_ids),
        "do_sample": sampling.temperature > 0,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.temperature > 0:
        fields |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
    path.write_text(json.dumps(fields, indent=2) + "\n")


def _keys(file: Path | None) -> tuple[str, ...]:
    """Never from the command line, which every user of the machine can read."""
    keys = os.environ.pop("VIEWFINDER_API_KEYS", "").split()
    if file is not None:
        if not file.is_file():
            raise typer.BadParameter(f"there is no file {file}", param_hint="--api-keys")
        keys += [key for line in read_lines(file) if (key := line.strip())]
    return tuple(dict.fromkeys(keys))


def _traces() -> Any:
    try:
        from viewfinder.serve.tracing import exporting

        return exporting()
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed, which --otel needs; install it with: pip install 'viewfinder[otel]'"
        ) from error


Root = Annotated[
    Path,
    typer.Option("--root", exists=True, file_okay=False, help="Folder whose files may be read; nothing outside it."),
]
Http = Annotated[
    int | None,
    typer.Option(
        "--http", min=1, max=65535, help="Streamable HTTP on this port of 127.0.0.1, at /mcp.", metavar="PORT"
    ),
]


def mcp(
    root: Root = Path(),
    http: Http = None,
    model: options.Model = "tiny",
    max_pixels: options.MaxPixels = None,
    dtype: options.Dtype = None,
) -> None:
    from viewfinder.cli.mcp_tools import create_server

    server = create_server(options.open_model(model, dtype, max_pixels=max_pixels), root)
    if http is None:
        server.run("stdio")
    else:
        typer.echo(f"tools at http://127.0.0.1:{http}/mcp, on files below {root.resolve()}", err=True)
        server.run("streamable-http", host="127.0.0.1", port=http)
