#!/bin/sh
# parallel.sh s3://BUCKET/PREFIX FOLDER [OPTION...]: hashes a bucket in four parts with GNU parallel, and merges them into
# FOLDER. The options are those of packsign merge, such as --key key.asc. To use other hosts, add to parallel
#   --sshlogin HOST1,HOST2 --return {}.json --cleanup
# and give each packsign and a login that may read the bucket.
set -eu
bucket=$1
own=$2
shift 2
parts=$(mktemp -d)
trap 'rm -r "$parts"' EXIT
seq 4 | parallel --halt now,fail=1 packsign build "$bucket" --shard {}/4 --output "$parts/{}.json"
packsign merge "$parts"/*.json --state "$own" "$@"
