#!/usr/bin/env bash
# Compiles one input of many, for both instruction sets: task N of the array takes line N of the list.
#
#   sbatch --array=1-$(wc -l < inputs) slurm.sh inputs /shared/images
#
#SBATCH --job-name=lithify
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=00:10:00
#SBATCH --requeue
set -euo pipefail

inputs=${1:?the list of inputs, a path a line}
images=${2:?the folder of images}
input=$(sed -n "${SLURM_ARRAY_TASK_ID:?this is a task of a job array}p" "$inputs")
[[ -n $input ]] || { echo "$inputs has no line $SLURM_ARRAY_TASK_ID" >&2; exit 2; }

exec lithify cache fill "$input" --dir "$images" --all-targets \
    --jobs "${SLURM_CPUS_PER_TASK:-1}" --max-memory 3G --timeout 9min
