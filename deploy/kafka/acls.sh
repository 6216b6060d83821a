#!/bin/sh
# acls.sh - what Peakline's user may do in Kafka, and no more.
#
#     acls.sh --bootstrap-server HOST:9092 [--command-config FILE]
#
# Its options are kafka-acls.sh's own.  For other names set USER_NAME, GROUP, SCANS, ALERTS, ETAS,
# DEAD_LETTERS, PROGRESS or ACTIVITY.  DescribeConfigs serves `peakline check --connect` alone.
set -eu
user=User:${USER_NAME:-peakline}

kafka-acls.sh "$@" --add --allow-principal "$user" --topic "${SCANS:-scans}" \
    --operation Read --operation Describe --operation DescribeConfigs
kafka-acls.sh "$@" --add --allow-principal "$user" --group "${GROUP:-peakline}" \
    --operation Read --operation Describe
kafka-acls.sh "$@" --add --allow-principal "$user" \
    --topic "${ALERTS:-alerts}" --topic "${ETAS:-etas}" \
    --topic "${DEAD_LETTERS:-dead-letters}" --topic "${PROGRESS:-progress}" \
    --topic "${ACTIVITY:-activity}" \
    --operation Write --operation Describe --operation DescribeConfigs
