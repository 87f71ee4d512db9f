"""`zhiwan up --lan` with real HTTPS requests: its own authority, its cookies, its links, its ports."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from running import Product, start_product, stop_product
from zhiwan.run.certificates import AddressNotCovered, certificates_for
from zhiwan.run.lan import NoLanAddress, address_in_lan, qr
from zhiwan.run.ports import is_free

NOW = datetime(2026, 11, 24, tzinfo=UTC)
HOME = IPv4Address("192.168.1.20")


def test_the_authority_is_made_once_and_is_private(tmp_path: Path) -> None:
    first = certificates_for(HOME, tmp_path, NOW)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in tmp_path.iterdir())
    ca, leaf = first.ca.read_bytes(), first.certificate.read_bytes()
    assert certificates_for(HOME, tmp_path, NOW + timedelta(days=300)).certificate.read_bytes() == leaf
    moved = certificates_for(IPv4Address("10.1.2.3"), tmp_path, NOW)
    assert moved.certificate.read_bytes() != leaf
    assert moved.ca.read_bytes() == ca


def test_a_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    leaf = certificates_for(HOME, tmp_path, NOW).certificate.read_bytes()
    again = certificates_for(HOME, tmp_path, NOW + timedelta(days=380)).certificate
    assert again.read_bytes() != leaf
    ends = x509.load_pem_x509_certificate(again.read_bytes()).not_valid_after_utc
    assert ends > NOW + timedelta(days=700)


def test_a_certificate_of_another_authority_is_made_anew(tmp_path: Path) -> None:
    certificates_for(HOME, tmp_path, NOW)
    (tmp_path / "ca.crt").unlink()
    made = certificates_for(HOME, tmp_path, NOW)
    leaf, ca = (x509.load_pem_x509_certificate(file.read_bytes()) for file in (made.certificate, made.ca))
    leaf.verify_directly_issued_by(ca)


def test_the_authority_vouches_for_private_addresses_only(tmp_path: Path) -> None:
    certificates_for(HOME, tmp_path, NOW)
    with pytest.raises(AddressNotCovered):
        certificates_for(IPv4Address("8.8.8.8"), tmp_path, NOW)


def test_an_address_that_is_not_of_this_machine_is_refused() -> None:
    with pytest.raises(NoLanAddress):
        address_in_lan("203.0.113.77")
    with pytest.raises(NoLanAddress):
        address_in_lan("somewhere")


def test_the_qr_code_is_square_text() -> None:
    lines = qr("https://192.168.1.20:8000/in/abc").splitlines()
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines)) >= {"█", "▀", "▄"}


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """127.0.0.2 stands for the LAN: an address of this machine wherever the test runs, and not the one links trust."""
    running = start_product(
        tmp_path_factory.mktemp("lan") / "data",
        "--no-demo",
        "--lan",
        "--lan-address",
        "127.0.0.2",
        url="https://127.0.0.2",
    )
    yield running
    stop_product(running)


def client(product: Product, source: str | None = None) -> httpx.Client:
    """Trusts the authority of this installation and nothing else."""
    trusted = ssl.create_default_context(cafile=str(product.data / "secrets" / "ca.crt"))
    transport = httpx.HTTPTransport(verify=trusted, local_address=source)
    return httpx.Client(base_url=product.url, transport=transport, timeout=20, follow_redirects=True)


@pytest.mark.journey
class TestServed:
    def test_https_by_our_own_authority_and_no_http(self, lan: Product) -> None:
        assert lan.url.startswith("https://127.0.0.2:")
        with client(lan) as ours:
            page = ours.get("/in")
            assert page.status_code == 200
            assert "max-age" in page.headers["strict-transport-security"]
            assert ours.get("/ca.crt").content == (lan.data / "secrets" / "ca.crt").read_bytes()
            assert ours.get("/healthz").json()["parts"]["live"]["state"] == "ok"
            assert ours.get("/in", headers={"Host": "example.org"}).status_code == 400
        with pytest.raises(httpx.ConnectError):
            httpx.get(lan.url + "/in", trust_env=False)  # nobody else trusts it
        with pytest.raises(httpx.HTTPError):
            httpx.get(lan.url.replace("https:", "http:") + "/in", trust_env=False)

    def test_nothing_listens_on_loopback_but_what_devices_need(self, lan: Product) -> None:
        assert is_free(int(lan.url.rsplit(":", 1)[1]))
        assert not is_free(lan.mqtt_port)

    def test_the_terminal_tells_how_a_phone_comes_in(self, lan: Product) -> None:
        said = "\n".join(lan.read_said())
        assert f"{lan.url}/ca.crt" in said
        assert "█" in said
        assert certificates_for(IPv4Address("127.0.0.2"), lan.data / "secrets", datetime.now(UTC)).fingerprint in said

    def test_a_desk_link_is_for_this_machine_and_a_phone_link_for_one_phone(self, lan: Product) -> None:
        desk, phone = lan.new_link(), lan.new_link("--phone")
        with client(lan, source="127.0.0.2") as here:
            assert "/in" not in here.get(phone).url.path
            cookies = {cookie.name: cookie for cookie in here.cookies.jar}
            assert cookies["zhiwan_session"].secure
        with client(lan) as second:
            assert second.get(phone).status_code == 403, "once is once"
        with client(lan, source="127.0.0.2") as here:
            assert "/in" not in here.get(desk).url.path

    def test_the_live_stream_speaks_https_to_an_open_page(self, lan: Product) -> None:
        with client(lan) as ours:
            ours.get(lan.new_link("--phone"))
            address = ours.get("/live/ticket").json()["address"]
            assert address.startswith("https://127.0.0.2:")
            with ours.stream("GET", address, headers={"Origin": lan.url}) as stream:
                assert stream.status_code == 200
                assert stream.headers["access-control-allow-origin"] == lan.url
                assert next(stream.iter_lines()).startswith("retry")
