#!/bin/sh
# Every test, from a fresh checkout: installs what is missing, builds, runs; the last line is "N passed, N
# failed[, N skipped]".

cd "$(dirname "$0")/.." || exit 1
sh scripts/setup.sh --test || exit 1
# Only where we look at the result at once: a newer compiler's new warning must not stop a user.
[ "${CI:-}" != true ] || export WERROR=1
exec sh tests/run.sh
