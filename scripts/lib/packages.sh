# SPDX-License-Identifier: Apache-2.0
# Debian packages by purpose, and the function that installs what is missing of them.
# Sourced by the other scripts.

PACKAGES_BUILD="g++ meson ninja-build pkg-config ccache liburing-dev libisal-dev libipsec-mb-dev
  android-libboringssl-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libspdlog-dev
  libboost-dev ca-certificates curl python3"
# For the kernel-bypass back end; the build does without it where it is not there.
PACKAGES_DPDK="libdpdk-dev"
PACKAGES_TEST="libgtest-dev libgmock-dev libbenchmark-dev liburcu-dev libusrsctp-dev valgrind iproute2
  procps tshark"
PACKAGES_CHECK="clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev"
PACKAGES_BROWSERS="chromium firefox-esr nodejs"
PACKAGES_PEERS="python3-venv nodejs"

# as_root runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@" 2>/dev/null || sudo "$@"; fi
}

# install_packages installs those of its arguments that are missing. Package lists are
# fetched only where something is.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    "${missing[@]}" >/dev/null
}
