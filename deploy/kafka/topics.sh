#!/usr/bin/env bash
# topics.sh - creates the topics; with KAFKA_TOPICS=echo it prints the commands.
#
# KAFKA_BROKERS            host:port of a broker
# PARTITIONS               of scans, alerts, etas (96): what deploy/RUNBOOK.md reckons
# REPLICAS                 of each (3)
# KAFKA_TOPICS             Kafka's own kafka-topics.sh
# KAFKA_COMMAND_CONFIG     its --command-config file, where the broker asks who you are
set -euo pipefail

create() { # NAME PARTITIONS CONFIG...
    local configs=() one
    for one in "${@:3}"; do configs+=(--config "$one"); done
    # shellcheck disable=SC2086
    ${KAFKA_TOPICS:-kafka-topics.sh} --bootstrap-server "$KAFKA_BROKERS" \
        ${KAFKA_COMMAND_CONFIG:+--command-config "$KAFKA_COMMAND_CONFIG"} \
        --create --if-not-exists --topic "$1" --partitions "$2" \
        --replication-factor "${REPLICAS:-3}" "${configs[@]}"
}

: "${KAFKA_BROKERS:?host:port of a broker}"
many=${PARTITIONS:-96} safe=min.insync.replicas=2
[ "${REPLICAS:-3}" -gt 1 ] || safe=min.insync.replicas=1
create scans "$many" message.timestamp.type=LogAppendTime retention.ms=259200000 \
    compression.type=producer "$safe"
create alerts "$many" retention.ms=1209600000 "$safe"
create etas "$many" cleanup.policy=compact min.compaction.lag.ms=60000 "$safe"
create progress 1 cleanup.policy=compact "$safe"
create dead-letters 6 retention.ms=2592000000 "$safe"
create activity 4 retention.ms=259200000 "$safe"
