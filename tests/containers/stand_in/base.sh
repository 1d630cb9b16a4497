# Stands in for the public image of Python where there is no image registry: Debian with Python, from Debian's packages.
# Usage: base.sh IMAGE. Needs root and debootstrap.
set -euo pipefail
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 2>/dev/null | grep -m1 -E '/debian/?$' || true)
[ -n "$mirror" ] || { echo "apt knows no mirror of Debian's own packages" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$folder" "$mirror" >/dev/null
tar -C "$folder" -c . | podman import -q - "$1" >/dev/null
