"""What an operator decides about a server. The defaults are safe on a laptop and honest in a team."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from viewfinder.errors import ViewfinderError
from viewfinder.media.sandbox import SandboxLimits
from viewfinder.media.source import Limits, UrlPolicy

if TYPE_CHECKING:
    from viewfinder.serve.tracing import TracerProvider
    from viewfinder.serve.workers import Worker

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ServeError(ViewfinderError):
    """A server that cannot be started as asked."""


@dataclass(frozen=True)
class ServeSettings:
    """Attributes:
    model_name: what clients call the model.
    host, port: where to listen; other machines can only come in when `api_keys` are set or `open_to_all` is.
    api_keys: accepted bearer tokens; each is a tenant of its own. None are needed when there are none.
    cors_origins: web pages of other origins that may ask from a browser.
    allowed_hosts: names in the Host header besides loopback's, this machine's and numbers, against rebinding of names;
        "*" lets every name through.
    max_body_bytes: of one request. max_items: braces, brackets and commas in its JSON.
    body_seconds: for the whole body to arrive.
    max_requests: being prepared or answered at once, of all tenants; max_choices: n of one request.
    max_media: pictures and clips of one request; max_request_pixels: of all pages of a document in one request.
    limits: caps of one medium; sandbox: of the processes that decode.
    lenient: unknown fields of a chat request are told in the answer instead of refused.
    access_log: a line for each request, with its id.
    traces: provider of OpenTelemetry's SDK that gets a span of each request; None, and nothing of it is imported.
    worker: this server's place among several behind one port; None listens itself.
    samples: folder that corrected answers are kept in; None refuses them. max_samples, max_samples_bytes: of it.
    allow_weak_sandbox: listen beyond loopback although the kernel does not confine decoders fully.
    max_connections: open at once; beyond, the longest idle one is closed. header_seconds: for a request's headers.
    notice_seconds: for which `/ready` says 503 before a server that is ended stops taking requests.
    drain_seconds: for requests that are under way then.
    max_streams: live sessions open at once, of all tenants; max_stream_bytes: of the frames that one keeps.
    stream_idle_seconds: after which a session that nobody uses is closed.
    prices: of a million tokens read and of a million answered, in dollars, for the playground to tell costs; None
        when nobody pays.
    """

    model_name: str = "tiny"
    host: str = "127.0.0.1"
    port: int = 8000
    api_keys: tuple[str, ...] = ()
    open_to_all: bool = False
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 64 * 2**20
    max_items: int = 200_000
    body_seconds: float = 60.0
    max_requests: int = 256
    max_choices: int = 8
    max_media: int = 64
    max_request_pixels: int = 256_000_000
    notice_seconds: float = 0.0
    drain_seconds: float = 20.0
    limits: Limits = field(
        default_factory=lambda: Limits(
            max_bytes=48 * 2**20,
            max_pixels=64_000_000,
            max_pages=500,
            max_seconds=6 * 3600.0,
            max_frames=768,
            timeout=20.0,
            url_policy=UrlPolicy(),
            allow_files=False,
        )
    )
    sandbox: SandboxLimits = field(default_factory=SandboxLimits)
    lenient: bool = False
    access_log: bool = False
    traces: "TracerProvider | None" = None
    worker: "Worker | None" = None
    samples: str | None = None
    max_samples: int = 10_000
    max_samples_bytes: int = 4 * 2**30
    prices: tuple[float, float] | None = None
    allow_weak_sandbox: bool = False
    max_streams: int = 16
    max_stream_bytes: int = 128 * 2**20
    stream_idle_seconds: float = 120.0
    max_connections: int = 1000
    header_seconds: float = 10.0

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK and not self.api_keys and not self.open_to_all:
            raise ServeError(
                f"listening on {self.host} lets other machines in and no API key is set, so anybody could use the "
                "model; give keys (--api-keys FILE or VIEWFINDER_API_KEYS), or --open-to-all if that is meant"
            )
