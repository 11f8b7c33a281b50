#!/usr/bin/env bash
# From nothing to Rank-1 on a laptop: synthetic data, training, test, silhouettes, and a page about it.
#
#   bash scripts/demo.sh [--seed N] [--processes N]
#
# --seed       other people and another training run (default 0)
# --processes  how many processes torchrun starts (default 1)
set -euo pipefail
seed=0
processes=1
while [ $# -gt 0 ]; do
    case "$1" in
        --seed) seed="${2:?--seed needs a number}"; shift 2 ;;
        --processes) processes="${2:?--processes needs a number}"; shift 2 ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "demo.sh does not know $1; it takes --seed N and --processes N." >&2; exit 2 ;;
    esac
done
case "$seed$processes" in *[!0-9]*) echo "--seed and --processes take whole numbers." >&2; exit 2 ;; esac
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

out="output/demo"
data="$out/data/seed-$seed"
run="$out/seed-$seed"
config="configs/dinogrl/demo.yaml"
settings=(--set "data_cfg.dataset_root=$data" --set "trainer_cfg.seed=$seed" --set "trainer_cfg.output_root=$run")
start=$SECONDS

step() { printf '\n== %s (%d s since the start) ==\n' "$1" $((SECONDS - start)); }
launch() { torchrun --standalone --nproc_per_node="$processes" opengait/main.py --cfgs "$config" "$@" "${settings[@]}"; }

step "1/6 Drawing people: $data"
python datasets/synthetic_vvi/generate.py --demo --out "$data" --seed "$seed" --workers 2

step "2/6 Training"
launch --phase train

step "3/6 Test on people never seen in training"
launch --phase test --set evaluator_cfg.save_features=true

step "4/6 Silhouettes"
rm -rf "$run/silhouettes"  # those of an earlier training
checkpoint="$(ls "$run"/Synthetic-VVI/DinoGRL/DinoGRL/checkpoints/*.pt | tail -n 1)"
python scripts/export_silhouettes.py --cfgs "$config" --checkpoint "$checkpoint" --out "$run/silhouettes" \
    --split test --frames 4 --truth "$data/silhouettes" "${settings[@]}"

step "5/6 Report"
python scripts/report.py "$run/Synthetic-VVI/DinoGRL/DinoGRL" --out "$run/report"

step "6/6 Results"
python scripts/demo_results.py --run "$run" --out "$out/results.json"
printf '\nThe whole demo took %d s.\n' $((SECONDS - start))
