"""`zhiwan up --lan`: which address of this machine the neighbours use, and what a person with a phone is told."""

from __future__ import annotations

import ipaddress
import os
import socket

import segno

from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.run.certificates import Certificates

_ELSEWHERE = ("203.0.113.1", 9)  # TEST-NET-3: nothing is sent, the kernel only says which address it would use


class NoLanAddress(InputRefused):
    code = "LAN-001"
    fact = "--lan found no address that others on the network could use"
    detail = "{why}."
    hint = "Connect this machine to the network, or name the address: bin/up --lan --lan-address 192.168.1.20"


def address_in_lan(wished: str = "") -> ipaddress.IPv4Address:
    """The IPv4 address of this machine that its network reaches; `wished` must be one of them."""
    try:
        address = ipaddress.IPv4Address(wished or _used_for_others())
        with socket.socket() as probe:
            probe.bind((str(address), 0))
    except (OSError, ValueError) as problem:
        raise NoLanAddress(why=f"{wished or 'The routing table'}: {problem}") from problem
    if address.is_unspecified or (address.is_loopback and not wished):
        raise NoLanAddress(why=f"{address} is not an address on a network")
    return address


def _used_for_others() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ELSEWHERE)
        return str(probe.getsockname()[0])


def lan_settings(files: Certificates) -> dict[str, str]:
    """What the processes are told: cookies for HTTPS only, one more host name, and an authority of our own."""
    hosts = [*filter(None, os.environ.get("ZHIWAN_HOSTS", "").split(",")), str(files.address)]
    return {
        "ZHIWAN_HTTPS": "1",
        "ZHIWAN_HOSTS": ",".join(hosts),
        "ZHIWAN_LAN_ADDRESS": str(files.address),
        "ZHIWAN_CA_FILE": str(files.ca),
    }


def phone_words(url: str, link: str, files: Certificates) -> str:
    """What the terminal shows: how to trust this machine once, and the link for the phone as a QR code."""
    return (
        f"\nOn a phone in the same network:\n"
        f"  1. once: open {url}/ca.crt and install it as a trusted certificate (the browser warns until then).\n"
        f"     Its SHA-256 has to be {files.fingerprint}\n"
        f"  2. scan this. It signs in the first who opens it, once, within 10 minutes: {link}\n"
        f"{qr(link)}"
        f"  Another such link: bin/zhiwan link --phone"
    )


def qr(text: str) -> str:
    """A QR code in half blocks, light on dark and dark on light alike (the quiet zone is part of it)."""
    rows = [list(row) for row in segno.make_qr(text, error="m").matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    blocks = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}  # dark modules are the terminal's dark ground
    lines = ("".join(blocks[bool(up), bool(down)] for up, down in zip(*pair, strict=True)) for pair in _pairs(rows))
    return "".join(f"  \033[97;40m{line}\033[0m\n" for line in lines)


def _pairs(rows: list[list[int]]) -> list[tuple[list[int], list[int]]]:
    return list(zip(rows[::2], rows[1::2], strict=True))
