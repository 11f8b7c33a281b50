#!/usr/bin/env bash
# The whole chain on a laptop: synthetic data, training, test, silhouettes, and a report.
#
#   bash scripts/demo.sh [--seed N] [--processes N]
#
# --seed       draws other people and starts another training run (default 0); the same seed again replaces its run
# --processes  number of processes (default 1)
set -euo pipefail
seed=0
processes=1
while [ $# -gt 0 ]; do
    case "$1" in
        --seed) seed="${2:?--seed needs a number}"; shift 2 ;;
        --processes) processes="${2:?--processes needs a number}"; shift 2 ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown option $1; expected --seed N or --processes N" >&2; exit 2 ;;
    esac
done
case "$seed$processes" in *[!0-9]*) echo "--seed and --processes expect integers" >&2; exit 2 ;; esac
[ "$processes" -gt 0 ] || { echo "--processes expects a positive integer" >&2; exit 2; }
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

out="output/demo"
data="$out/data/seed-$seed"
run="$out/seed-$seed"
config="configs/dinogrl/demo.yaml"
settings=(--set "data_cfg.dataset_root=$data" "trainer_cfg.seed=$seed" "trainer_cfg.output_root=$run")
start=$SECONDS

vvi() { python -m opengait_ext "$@"; }
step() { printf '\n== %s (%d s since the start) ==\n' "$1" $((SECONDS - start)); }
launch() {
    local python=(python)
    [ "$processes" -eq 1 ] || python+=(-m torch.distributed.run --standalone --nproc_per_node="$processes")
    "${python[@]}" opengait/main.py --cfgs "$config" "$@" "${settings[@]}"
}

step "1/6 Drawing people: $data"
vvi synthesize --preset demo --out "$data" --seed "$seed" --workers 2

step "2/6 Training"
launch --phase train --overwrite

step "3/6 Testing on people not seen in training"
launch --phase test --set evaluator_cfg.save_features=true

step "4/6 Silhouettes"
rm -rf "$run/silhouettes"  # of an earlier training
checkpoint="$(ls "$run"/Synthetic-VVI/DinoGRL/DinoGRL/checkpoints/*.pt | tail -n 1)"
vvi export-silhouettes --cfgs "$config" --checkpoint "$checkpoint" --out "$run/silhouettes" \
    --split test --frames 4 --truth "$data/silhouettes" "${settings[@]}"

step "5/6 Report"
vvi report "$run/Synthetic-VVI/DinoGRL/DinoGRL" --out "$run/report"

step "6/6 Results"
vvi demo-results --run "$run" --out "$run/results.json"
printf '\nThe whole demo took %d s.\n' $((SECONDS - start))
