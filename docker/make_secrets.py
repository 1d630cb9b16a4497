"""Make the secrets that the services of compose.yaml share, where they are missing; each service mounts only its own.

Runs once, as the container's root, without a network, before everything else: the owners differ, because Postgres and
Redis read theirs under accounts of their own. What the platform itself needs (its passwords in Postgres, Airflow's
keys, the key of the archive) it makes itself, in the volume `secrets`.

    /made/admin      for whoever makes roles and databases: the password of Postgres's administrator
    /made/postgres   for Postgres: the same password, its certificate and key
    /made/redis      for Redis: its configuration with a password
    /made/secrets    for the platform: the authority that signed Postgres's certificate, the broker's password
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MADE = Path("/made")
OURS = 10001
# The accounts of the images of Postgres and Redis.
POSTGRES = int(os.environ.get("POSTGRES_UID", "999"))
REDIS = int(os.environ.get("REDIS_UID", "999"))
VALID = timedelta(days=3650)


def main() -> None:
    """Make what is missing; what is there is left as it is, and given to its owner once more."""
    password = _kept("admin/password", OURS, lambda: secrets.token_urlsafe(24))
    _kept("postgres/password", POSTGRES, lambda: password)
    _certify()
    broker = _kept("secrets/broker_password", OURS, lambda: secrets.token_urlsafe(24))
    _kept("redis/redis.conf", REDIS, lambda: f"requirepass {broker}\nappendonly yes\ndir /data\n")


def _kept(name: str, owner: int, make: Callable[[], str]) -> str:
    path = MADE / name
    if not path.exists():
        _write(path, make())
    for each in (path.parent, path):
        os.chown(each, owner, owner)
    path.parent.chmod(0o700)
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others for an instant."""
    unfinished = path.with_name(f".{path.name}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(path)


def _certify() -> None:
    """A certificate for the host name `postgres`, of an authority whose key is thrown away: nothing else is signed."""
    parts = [MADE / "postgres/server.crt", MADE / "postgres/server.key", MADE / "secrets/postgres_authority.crt"]
    if not all(part.exists() for part in parts):
        authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "frontdoor postgres authority")])
        server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postgres")])
        signed_by = _certificate(authority, authority_key, authority, authority_key, is_authority=True)
        signed = _certificate(server, server_key, authority, authority_key, is_authority=False)
        key = server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        for part, text in zip(parts, (_pem(signed), key.decode(), _pem(signed_by)), strict=True):
            _write(part, text)
    for part in parts:
        owner = POSTGRES if part.parent.name == "postgres" else OURS
        os.chown(part, owner, owner)


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    name = x509.SubjectAlternativeName([x509.DNSName("postgres")])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    return (built if is_authority else built.add_extension(name, critical=False)).sign(issuer_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


if __name__ == "__main__":
    main()
