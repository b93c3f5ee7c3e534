#!/bin/sh
# Tide beside PyTorch + torchdiffeq and JAX + diffrax: `make bench-peers`, or `sh tests/bench/peers.sh
# [options]` (--help lists them). `sh tests/bench/peers.sh --samples [options]`: batches whose samples take
# steps of their own, beside torchode and diffrax under vmap. --linalg: tide.linalg beside SciPy. --tensors:
# sorting, sums, positions, einsum and batched products beside NumPy and PyTorch.
#
# The peers come from PyPI into a virtual environment outside the checkout,
# ${TIDE_PEERS:-${XDG_CACHE_HOME:-~/.cache}/tide/peers}; nothing else in Tide needs them. PEERS names what to
# install; without "jax diffrax" the table has no columns for them.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=${TIDE_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/tide/peers}

fail() { echo "$1" >&2; exit 1; }

[ -x "$root/tide" ] || fail "Tide is not built: run make first"

if [ ! -x "$peers/bin/python" ]; then
  command -v python3 >/dev/null || fail "python3 is needed for the peers (apt install python3 python3-venv)"
  echo "making a virtual environment in $peers (about 2 GB)" >&2
  mkdir -p "$(dirname "$peers")"
  python3 -m venv "$peers" || { rm -rf "$peers"; fail "python3 -m venv failed (apt install python3-venv)"; }
fi

if ! "$peers/bin/python" -c "import torch, torchdiffeq" 2>/dev/null; then
  index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
  "$peers/bin/python" -m pip install --quiet --index-url "$index" torch ||
    "$peers/bin/python" -m pip install --quiet torch
  # shellcheck disable=SC2086 # a list of words
  "$peers/bin/python" -m pip install --quiet numpy torchdiffeq ${PEERS-jax diffrax}
fi

cd "$root"
if [ "${1-}" = --linalg ]; then shift; exec "$peers/bin/python" "$here/linalg.py" "$@"; fi
if [ "${1-}" = --layers ]; then shift; exec "$peers/bin/python" "$here/layers.py" "$@"; fi
if [ "${1-}" = --tensors ]; then shift; exec "$peers/bin/python" "$here/tensors.py" "$@"; fi
if [ "${1-}" = --samples ]; then
  shift
  "$peers/bin/python" -c "import torchode" 2>/dev/null || "$peers/bin/python" -m pip install --quiet torchode
  exec "$peers/bin/python" "$here/samples.py" "$@"
fi
exec "$peers/bin/python" "$here/peers.py" "$@"
