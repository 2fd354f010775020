#!/bin/sh
# A job array of Slurm that hashes a bucket; parts/ is a folder that all nodes share. Then, where you sign:
#   JOB=$(sbatch --parsable --array=1-100 slurm.sh s3://BUCKET/PREFIX)
#   srun --dependency=afterok:"$JOB" true && packsign merge parts/*.json --state own
#SBATCH --job-name=packsign
#SBATCH --mem=1G
set -eu
mkdir -p parts
exec packsign build "$1" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --output "parts/$SLURM_ARRAY_TASK_ID.json"
