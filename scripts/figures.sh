#!/bin/sh
# Draws every figure anew. plots/GROUP_NAME.lua reads the results of experiments/GROUP/NAME.lua in runs/GROUP/NAME or NAME-anything.

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
# Figures of ResNet After All? come from committed results; into runs/resnet_after_all/figures.
for figure in plots/resnet_after_all/[!c]*.lua plots/resnet_after_all/crossings.lua; do
    [ -f "$figure" ] || continue
    count=$((count + 1))
    ./tide "$figure" || { echo "figures: $figure failed" >&2; status=1; }
done
[ "$count" -gt 0 ] || echo "figures: runs/ holds no results; run an experiment first, e.g. ./tide experiments/anode/spheres.lua"
exit $status
