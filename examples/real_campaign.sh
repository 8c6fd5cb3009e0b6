#!/usr/bin/env bash
# A whole campaign on real films with `overread` commands only; docs/tutorial.md explains each step.
# Simulated readers stand in for doctors: their verdicts exercise the protocol and are no evidence.
#
#   examples/real_campaign.sh path/to/films campaign
set -euo pipefail
data=${1:?folder with cxr-cohen, cxr-hannover and cxr-nih14}
export OVERREAD_HOME=${2:-campaign}
masks=$(mktemp -d)
trap 'rm -rf "$masks"' EXIT

overread ingest "$data/cxr-cohen" --manifest "$data/cxr-cohen/index.csv" \
    --column case=id --column patient=patient_id --constant class=infection --constant source=cohen \
    --file-pattern '{folder}/images/{id}.png'
overread ingest "$data/cxr-hannover" --manifest "$data/cxr-hannover/data.csv" \
    --column case=image_id --column patient=patient_id --column view=projection \
    --constant class=infection --constant source=hannover --constant "licence=CC BY 3.0" \
    --file-pattern 'images/{image_id}.png'
overread ingest "$data/cxr-nih14" --manifest "$data/cxr-nih14/labels.csv" \
    --column case=image_index --column patient=patient_id --column class=finding_labels --value 'class:*=other' \
    --constant source=nih14 --constant "licence=NIH ChestX-ray14 terms"

overread campaign create pilot --spec laptop
overread users add radiologists --role reader --no-login
for reader in sim1 sim2 sim3; do overread users add $reader --role reader --simulated; done
cp "$data"/cxr-cohen/*/infection/*.png "$masks"
overread import-masks "$masks" --campaign pilot --reader radiologists

for stage in pilot/I pilot/II; do
    overread stage open $stage
    overread stage train $stage --wait
    overread simulate verdicts $stage --reader sim1 --reader sim2 --reader sim3
    overread stage lock $stage
    overread stage unblind $stage
    overread stage close $stage
done

overread export pilot "$OVERREAD_HOME/export"
overread benchmark pilot --spec laptop
overread report pilot
