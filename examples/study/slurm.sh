#!/usr/bin/env bash
# Measures one cell of a study: task N of the array is cell N.
#
#   sbatch --array=1-$(lithify study quick.toml --list | wc -l) slurm.sh quick.toml /shared/quick
#   lithify study merge /shared/quick --study quick.toml -o /shared/quick
#
#SBATCH --job-name=lithify-study
#SBATCH --exclusive
#SBATCH --time=00:30:00
#SBATCH --requeue
set -euo pipefail

study=${1:?the file of the study}
results=${2:?the folder of its results}
exec lithify study "$study" --cell "${SLURM_ARRAY_TASK_ID:?this is a task of a job array}" -o "$results"
