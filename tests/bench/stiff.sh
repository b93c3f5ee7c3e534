#!/bin/sh
# Tide's solvers beside SciPy's and CVODE's: `sh tests/bench/stiff.sh [--csv FILE] [--only NAME,NAME]`;
# `sh tests/bench/stiff.sh --read FILE` prints the ratios of a file again, and measures nothing.
#
# CVODE is that of the system (Debian: apt install libsundials-dev), SciPy comes from PyPI into a virtual
# environment outside the checkout, ${TIDE_PEERS:-${XDG_CACHE_HOME:-~/.cache}/tide/peers}. Neither Tide nor
# its tests need them; what is not there is left out, and said. About six minutes.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=${TIDE_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/tide/peers}
made=$root/build/bench
CC=${CC:-cc}

[ -x "$root/tide" ] || { echo "Tide is not built: run make first" >&2; exit 1; }
cd "$root"
export TIDE_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

case " $* " in *" --read"* | *" --help "*) exec ./tide tests/bench/stiff_bench.lua "$@" ;; esac

mkdir -p "$made"
"$CC" -O2 -shared -fPIC -Icore -o "$made/stiff_fields.so" tests/bench/stiff_fields.c -lm

cvode=
if "$CC" -O2 -Icore -o "$made/stiff_cvode" tests/bench/stiff_cvode.c -lsundials_cvode \
    -lsundials_nvecserial -lsundials_sunmatrixdense -lsundials_sunlinsoldense \
    -lsundials_sunnonlinsolfixedpoint -ldl -lm 2>"$made/stiff_cvode.log"; then
  cvode=$made/stiff_cvode
else
  echo "CVODE is left out: stiff_cvode.c cannot be compiled (apt install libsundials-dev?), see" >&2
  echo "$made/stiff_cvode.log" >&2
fi

scipy=
if [ ! -x "$peers/bin/python" ] && command -v python3 >/dev/null; then
  mkdir -p "$(dirname "$peers")"
  python3 -m venv "$peers" || rm -rf "$peers"
fi
if [ -x "$peers/bin/python" ]; then
  "$peers/bin/python" -c "import scipy" 2>/dev/null ||
    "$peers/bin/python" -m pip install --quiet scipy || true
  if "$peers/bin/python" -c "import scipy" 2>/dev/null; then
    scipy="'$peers/bin/python' '$here/stiff_scipy.py'"
  fi
fi
[ -n "$scipy" ] || echo "SciPy is left out: python3 -m venv, or pip install scipy, failed" >&2

exec ./tide tests/bench/stiff_bench.lua --fields "$made/stiff_fields.so" --cvode "$cvode" \
  --scipy "$scipy" "$@"
