#!/usr/bin/env bash
# All tests; arguments go to pytest. The first run sets up .venv.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# One thread a worker: the tests are small, and two workers with all cores each would wait for one another.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python -m pytest -n 2 --dist loadfile "$@"
