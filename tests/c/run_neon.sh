#!/usr/bin/env bash
# Builds the C test programs for this machine and for 64-bit ARM, runs both (ARM under emulation), and compares the
# hashes of whole training runs: NEON must give the bits that AVX2 and AVX-512 give.
#   bash tests/c/run_neon.sh [folder for the builds]
# Needs cmake, a C compiler, aarch64-linux-gnu-gcc with its C library, and qemu-aarch64 (Debian: qemu-user,
# gcc-aarch64-linux-gnu, libc6-dev-arm64-cross).
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
builds=${1:-$(mktemp -d)}

build_and_test() { # name, options for cmake
  local name=$1
  shift
  cmake -S "$root" -B "$builds/$name" -DCMAKE_BUILD_TYPE=Release -DFM_PYTHON=OFF -DFM_TEST_PROGRAMS=ON "$@" >/dev/null
  cmake --build "$builds/$name" --parallel 2 >/dev/null
  ctest --test-dir "$builds/$name/tests/c" --no-tests=error --parallel 2 --verbose >"$builds/$name.txt" || {
    cat "$builds/$name.txt"
    exit 1
  }
  sed -n '/tests passed/,$p' "$builds/$name.txt"
}

# "<hash> <run>" of each training run that test_training printed.
# In an order of their own: the programs run side by side.
hashes() { sed -nE 's/^[0-9]+: ([0-9a-f]{16} .*)/\1/p' "$1" | sort; }

build_and_test native
build_and_test neon -DCMAKE_TOOLCHAIN_FILE="$root/tests/c/aarch64.cmake"
hashes "$builds/native.txt" >"$builds/native.hashes"
hashes "$builds/neon.txt" >"$builds/neon.hashes"
test -s "$builds/native.hashes"
diff "$builds/native.hashes" "$builds/neon.hashes"
echo "NEON: $(wc -l <"$builds/neon.hashes") training runs have the bits of this machine's"
