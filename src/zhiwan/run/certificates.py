"""HTTPS without a public name: a certificate authority of this data folder, and a certificate for its LAN address.

    <data>/secrets/ca.key, ca.crt     made at the first `--lan`, ten years; a phone installs ca.crt once (page /ca.crt)
    <data>/secrets/lan.key, lan.crt   for one address, renewed at a start when it is another one or ends within 30 days

The authority is bound to private addresses (name constraints, RFC 5280 §4.2.1.10): whoever stole its key could still
not pass for a public site on the phones that trust it. Browsers take leaf certificates of at most 398 days.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from zhiwan.city.files import private_file
from zhiwan.kernel.facts.errors import InputRefused

CA_LASTS = timedelta(days=3650)
LEAF_LASTS = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
SKEW = timedelta(hours=1)  # a phone's clock may be behind
PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
Address = ipaddress.IPv4Address


class AddressNotCovered(InputRefused):
    code = "LAN-002"
    fact = "the certificate authority of this data folder does not cover {address}"
    detail = "It was made for private networks and for the address of its first start: {covered}."
    hint = "Delete {file} and its key, start again, and install the new ca.crt on the phones; or serve through a proxy."


@dataclass(frozen=True)
class Certificates:
    """Files of a server certificate and of the authority that signed it."""

    address: Address
    ca: Path
    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate, to compare on the phone before trusting it."""
        return _read(self.ca).fingerprint(hashes.SHA256()).hex(":").upper()


def certificates_for(address: Address, folder: Path, now: datetime) -> Certificates:
    """The certificate for `address`, made or renewed where needed; raises AddressNotCovered."""
    files = Certificates(address, folder / "ca.crt", folder / "lan.crt", folder / "lan.key")
    if not (files.ca.exists() and _ca_key(folder).exists()):
        _make_authority(address, folder, now)
    _require_covered(address, files.ca)
    if not _still_good(files, now):
        _make_leaf(files, folder, now)
    return files


def _ca_key(folder: Path) -> Path:
    return folder / "ca.key"


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _make_authority(address: Address, folder: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Zhiwan {address}, {now:%Y-%m-%d}")])
    networks = [ipaddress.ip_network(text) for text in (*PRIVATE, f"{address}/32")]
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # signs certificates and CRLs
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + CA_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints([x509.IPAddress(one) for one in networks], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(_ca_key(folder), key)
    private_file(folder / "ca.crt", _pem(made))


def _signing_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(_ca_key(folder).read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{_ca_key(folder)} holds another sort of key than we made")
    return key


def _make_leaf(files: Certificates, folder: Path, now: datetime) -> None:
    ca = _read(files.ca)
    signer = _signing_key(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(files.address))]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LEAF_LASTS)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(files.address)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _write_key(files.key, key)
    private_file(files.certificate, _pem(made))


def _still_good(files: Certificates, now: datetime) -> bool:
    """Whether the kept certificate is for this address, by this authority, and lasts."""
    if not (files.certificate.exists() and files.key.exists()):
        return False
    leaf, ca = _read(files.certificate), _read(files.ca)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    try:
        leaf.verify_directly_issued_by(ca)
    except Exception:  # another authority's, after ca.* was deleted: whatever is wrong with it, it is made anew
        return False
    key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    fits = key.public_key() == leaf.public_key()  # a crash between the two files leaves a pair that does not
    lasts = now < leaf.not_valid_after_utc - RENEW_BEFORE
    return fits and lasts and files.address in names.get_values_for_type(x509.IPAddress)


def _require_covered(address: Address, file: Path) -> None:
    permitted = _read(file).extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    covered = [one.value for one in permitted if isinstance(one, x509.IPAddress)]
    if not any(isinstance(one, ipaddress.IPv4Network) and address in one for one in covered):
        raise AddressNotCovered(address=address, covered=", ".join(map(str, covered)), file=file)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    form = serialization.PrivateFormat.PKCS8  # what granian reads
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    private_file(path, text.decode("ascii"))


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
