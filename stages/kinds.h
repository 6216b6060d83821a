/* kinds.h - the kinds of batches in this product; a column of the topology table. */
#ifndef STAGES_KINDS_H
#define STAGES_KINDS_H

enum batch_kind {
    KIND_RAW,      /* Kafka messages of one partition: intake/passage.h            */
    KIND_SCANS,    /* decoded scans: intake/passage.h, scan/scan.h                 */
    KIND_REJECTS,  /* messages that no decoder takes: intake/passage.h             */
    KIND_OUTPUTS,  /* messages for Kafka: outlet/output.h                          */
    KIND_WRITES,   /* requests to Redis: outlet/request.h                          */
    KINDS
};

#endif
