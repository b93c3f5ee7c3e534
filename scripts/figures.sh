#!/bin/sh
# Draws every figure anew: plots/GROUP_NAME.lua reads the results of experiments/GROUP/NAME.lua in runs/GROUP/NAME or NAME-anything.

cd "$(dirname "$0")/.." || exit 1
status=0 count=0
for pipeline in plots/*_*.lua; do
    name=$(basename "$pipeline" .lua)
    for run in "runs/${name%%_*}/${name#*_}" "runs/${name%%_*}/${name#*_}"-*; do
        [ -d "$run" ] || continue
        count=$((count + 1))
        ./tide "$pipeline" "$run" || { echo "figures: $pipeline $run failed" >&2; status=1; }
    done
done
[ "$count" -gt 0 ] || echo "figures: runs/ holds no results; run an experiment first, e.g. ./tide experiments/anode/spheres.lua"
exit $status
