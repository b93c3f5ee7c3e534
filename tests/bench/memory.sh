#!/bin/sh
# Peak memory of one training step, Tide beside PyTorch + torchdiffeq: `sh tests/bench/memory.sh [options]`
# (--help lists them). It uses the virtual environment that peers.sh makes (TIDE_PEERS) and makes none.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
peers=${TIDE_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/tide/peers}

[ -x "$root/tide" ] || { echo "Tide is not built: run make first" >&2; exit 1; }
"$peers/bin/python" -c "import torch, torchdiffeq" 2>/dev/null ||
  {
    echo "no PyTorch + torchdiffeq in $peers: run sh tests/bench/peers.sh once, or set TIDE_PEERS" >&2
    exit 1
  }

cd "$root"
exec "$peers/bin/python" "$here/memory.py" "$@"
