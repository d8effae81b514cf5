"""Which addresses belong to the open internet, for everything here that goes there: downloads and browsers.

An own list, because what Python's `is_global` says differs between its versions. From IANA's registries of special
addresses (IPv4 and IPv6, 2026); the metadata services of clouds lie in them or are named.
"""

import ipaddress
import re

_SPECIAL4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "168.63.129.16/32",
    )
]  # fmt: skip
_OPEN6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL6 = [
    ipaddress.IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "3ffe::/16")
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAMES = (
    ".localhost",
    ".local",
    ".internal",
    ".lan",
    ".home",
    ".home.arpa",
    ".corp",
    ".intranet",
    ".localdomain",
)


def is_public(address: str) -> bool:
    """Whether an address belongs to the open internet. Forms of IPv6 that carry an IPv4 address are judged by that.

    `169.254.169.254`, `::ffff:10.0.0.1`, `64:ff9b::7f00:1` (NAT64 of 127.0.0.1) and `2002:a00:1::` (6to4 of 10.0.0.1)
    are not public; `2002:808:808::` is that of 8.8.8.8, and is.
    """
    try:
        ip = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _SPECIAL4)
    inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
    if inner is None and ip in _NAT64:
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    return ip in _OPEN6 and not any(ip in network for network in _SPECIAL6)


def is_local_name(host: str) -> bool:
    """Whether a name is one of a private network, or not a name of the internet at all: `router`, `nas.local.`."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(_LOCAL_NAMES):
        return True
    return "." not in name and ":" not in name and not name.isdigit()


def is_private(host: str) -> bool:
    """Whether a host, by its name or number, is this machine or its network; names are not looked up.

    Every spelling of a number counts that a browser takes: `127.1`, `0x7f.1`, `2130706433`, a trailing dot.
    """
    name = host.strip("[]").rstrip(".").lower()
    if is_local_name(name):
        return True
    number = _as_number(name)
    if number is None:
        return False
    return not is_public(number)


def _as_number(name: str) -> str | None:
    """The address that a browser takes a host for; None for a name. What looks like a number and is none is private."""
    if ":" in name:
        return name
    parts = name.split(".")
    if not re.fullmatch(r"0x[0-9a-f]*|\d+", parts[-1]):
        return None
    try:
        values = [
            int(part, 16 if part.startswith("0x") else 8 if part[:1] == "0" and part != "0" else 10) for part in parts
        ]
    except ValueError:
        return "0.0.0.0" if len(parts) != 1 else None
    if len(values) > 4 or any(v > 255 for v in values[:-1]) or values[-1] >= 256 ** (5 - len(values)):
        return "0.0.0.0"
    total = values[-1] + sum(value << 8 * (3 - i) for i, value in enumerate(values[:-1]))
    return str(ipaddress.IPv4Address(total))
