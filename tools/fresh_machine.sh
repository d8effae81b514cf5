#!/usr/bin/env bash
# Runs make targets on a machine that has nothing: a minimal Debian 12 root, made by debootstrap in a temporary folder,
# with only python3, venv, make, git and certificates. What passes here passes on a stranger's machine.
#
#   tools/fresh_machine.sh [TARGET ...]        default: demo test, the two commands of the README
#
# Needs root, debootstrap and about 6 GB in TMPDIR. The commit and what is changed beside it are tried; untracked files
# are not. KEEP=yes leaves the folder for a look. PIP_* settings, proxies and the certificates of this machine are carried over, so that pip reaches its index.
set -euo pipefail
cd "$(dirname "$0")/.."
targets=("${@:-demo}")
[ $# -eq 0 ] && targets=(demo test)
[ "$(id -u)" = 0 ] || { echo "fresh_machine: needs root, for debootstrap and chroot; run it with sudo" >&2; exit 2; }
command -v debootstrap >/dev/null || apt-get install -qq -y debootstrap >/dev/null

root=$(mktemp -d "${TMPDIR:-/tmp}/fresh-XXXXXX")
chmod 755 "$root"  # apt-get fetches as a user of its own
# Mounts live in a mount namespace of their own, so they end with it and nothing outside is ever removed.
trap '[ "${KEEP:-no}" = yes ] || rm -rf --one-file-system "$root"' EXIT
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -1)
echo "fresh_machine: a minimal Debian 12 in $root"
debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates bookworm "$root" "$mirror" \
  >"$root.log" 2>&1 || { tail -5 "$root.log"; exit 1; }
rm -f "$root.log"
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  [ -e "$file" ] && cp -L "$file" "$root$file"
done
git clone -q --no-hardlinks . "$root/root/viewfinder"
git diff --binary HEAD | git -C "$root/root/viewfinder" apply --allow-empty

# folders of this machine (PIP_FIND_LINKS) mean nothing there
mapfile -t settings < <(env | grep -E '^(PIP_[A-Z_]+|SSL_CERT_[A-Z]+|REQUESTS_CA_BUNDLE|[A-Za-z_]*(proxy|PROXY))=' | grep -v ^PIP_FIND_LINKS)
inside() {
  unshare --mount --pid --fork -- bash -c '
    root=$1; shift
    mount --make-rprivate / && mount -t proc proc "$root/proc" && mount -t sysfs sys "$root/sys"
    mount --rbind /dev "$root/dev" && mount -t tmpfs tmp "$root/dev/shm"
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CI=true "$@"' - "$root" "${settings[@]}" "$@"
}
echo "fresh_machine: $(inside sh -c '. /etc/os-release; echo "$PRETTY_NAME, $(python3 --version), $(nproc) cores"'); $(git rev-parse --short HEAD)"
failed=()
for target in "${targets[@]}"; do
  began=$SECONDS
  inside make -C /root/viewfinder "$target" || failed+=("$target")
  echo "fresh_machine: make $target ended after $((SECONDS - began)) s"
done
[ ${#failed[@]} -eq 0 ] || { echo "fresh_machine: FAILED: ${failed[*]}"; exit 1; }
echo "fresh_machine: passed: ${targets[*]}"
