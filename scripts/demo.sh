#!/bin/sh
# From a fresh checkout to a first result: installs what is missing, builds, and runs the nested-spheres
# experiment of the Augmented Neural ODEs paper. Arguments go to the experiment: sh scripts/demo.sh --epochs 5
# (--help lists them).

cd "$(dirname "$0")/.." || exit 1
sh scripts/setup.sh || exit 1
make -j"$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2)" || exit 1

mark=$(mktemp) || exit 1
trap 'rm -f "$mark"' EXIT
echo
echo "./tide experiments/anode/spheres.lua $*"
./tide experiments/anode/spheres.lua "$@" || exit
list() { find runs -type f -newer "$mark" -name "$1" 2> /dev/null | sort | sed 's/^/  /'; }
echo
echo "numbers (CSV):"
list '*.csv'
echo "figures:"
list '*.png'
echo "Draw them again: make figures. The prompt: ./tide. Next: README.md."
