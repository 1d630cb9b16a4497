"""The images, built without an image registry: a stand-in base, the one of docker/, and stand-ins for the servers'.

Needs root, and Debian's podman, buildah, runc and debootstrap. Layers are kept by podman, so a second run is quick.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).parent / "stand_in"
BASE = "localhost/frontdoor-stand-in-base:bookworm"
HOUSE = "localhost/frontdoor-tests:house"
POSTGRES = "localhost/frontdoor-tests:postgres"
REDIS = "localhost/frontdoor-tests:redis"
# Where a network signs with an authority of its own, what is built must know it too.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_SECONDS = 1200


def podman(*arguments: str, seconds: float = 120, check: bool = True) -> str:
    """Run podman; return what it printed. Raises `RuntimeError` with its own words."""
    ended = subprocess.run(
        ["podman", *arguments],
        env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if check and ended.returncode != 0:
        raise RuntimeError(f"podman {arguments[0]} ended with {ended.returncode}: {ended.stderr[-2000:]}")
    return ended.stdout.strip()


@cache
def build() -> None:
    """Build all of them, once in a process."""
    _configure()
    if not _exists(BASE):
        subprocess.run(["bash", str(STAND_IN / "base.sh"), BASE], check=True, timeout=BUILD_SECONDS)
    _build(HOUSE, ROOT / "docker" / "Dockerfile", ROOT)
    _build(POSTGRES, STAND_IN / "postgres.Dockerfile", STAND_IN)
    _build(REDIS, STAND_IN / "redis.Dockerfile", STAND_IN)


def size_bytes(image: str) -> int:
    """How large an image is, all its layers together."""
    return int(podman("image", "inspect", image, "--format", "{{.Size}}"))


def _exists(image: str) -> bool:
    return subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0


def _build(image: str, dockerfile: Path, folder: Path) -> None:
    mounted = ["--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro"] if AUTHORITIES.exists() else []
    podman(
        *("build", "--quiet", "--network", "host", *mounted),
        *("--build-arg", f"BASE_IMAGE={BASE}", "--file", str(dockerfile), "--tag", image, str(folder)),
        seconds=BUILD_SECONDS,
    )


def _configure() -> None:
    """What podman needs where neither systemd nor a container engine's own kernel settings are there; theirs is left."""
    path = Path("/etc/containers/containers.conf")
    if not path.exists() or not re.search(r"^runtime", path.read_text(encoding="utf-8"), re.MULTILINE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]\n[engine]\nruntime = "runc"\n',
            encoding="utf-8",
        )
