#!/usr/bin/env bash
# A video of people, from boxes to answers, with the network of scripts/demo.sh:
#
#   bash scripts/own_footage.sh VIDEO [visible|infrared]
#
# Writes to output/footage/<name of the video>: tracks, silhouettes, and a search of the second half in the first.
set -euo pipefail
case "${1:--h}" in -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
video="$(realpath "$1")"
modality="${2:-visible}"
extras="track"
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

run="output/demo/seed-0/Synthetic-VVI/DinoGRL/DinoGRL"
checkpoint="$(ls "$run"/checkpoints/*.pt 2>/dev/null | tail -n 1)" || true
[ -n "$checkpoint" ] || { echo "there is no network in $run; run bash scripts/demo.sh first" >&2; exit 2; }
name="$(basename "$video")"
out="output/footage/${name%.*}"
mkdir -p "$out"
network=(--cfgs configs/dinogrl/demo.yaml --checkpoint "$checkpoint")
footage=(--modality "$modality" --boxes "$out/boxes.txt")

vvi() { python -m opengait_ext "$@"; }

vvi track "$video" --out "$out/boxes.txt" | tee "$out/track.txt"
half="$(sed -n 's/.* frames (\([0-9.]*\) s).*/\1/p' "$out/track.txt" | awk '{ printf "%.1f", $1 / 2 }')"
end="$(awk -v half="$half" 'BEGIN { print 2 * half + 1 }')"
vvi export-silhouettes "${network[@]}" --input "$video" "${footage[@]}" --frames 4 --no-gif --out "$out/silhouettes"
vvi embed "${network[@]}" --input "$video" "${footage[@]}" --between 0 "$half" --out "$out/first_half.npz"
vvi search --gallery "$out/first_half.npz" --query "$video" "${footage[@]}" --between "$half" "$end" --top 3 \
    --picture "$out/answers" --json "$out/answers.json" | tee "$out/answers.txt"
