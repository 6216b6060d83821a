/* sink.c - a producer that takes everything and acknowledges it at the next poll. */
#include "bench/stages/stages.h"
#include "pipeline/check.h"
#include "stages/outlet/producer.h"

enum { ACKS_MAX = 65536 };

static struct {
    void    *owners[ACKS_MAX];
    uint32_t first, count;
    uint64_t outputs, bytes;
} sink;

uint64_t sink_outputs(void) { return sink.outputs; }
uint64_t sink_bytes(void) { return sink.bytes; }

static size_t port_produce(void *self, const struct output *outputs, size_t count, void *owner)
{
    size_t taken = 0;

    (void)self;
    for (; taken < count && sink.count < ACKS_MAX; taken++) {
        sink.bytes += outputs[taken].length;
        sink.owners[(sink.first + sink.count++) % ACKS_MAX] = owner;
    }
    sink.outputs += taken;
    return taken;
}

static bool port_poll(void *self, struct producer_ack *ack)
{
    (void)self;
    if (sink.count == 0)
        return false;
    ack->owner = sink.owners[sink.first];
    ack->delivered = true;
    sink.first = (sink.first + 1) % ACKS_MAX;
    sink.count--;
    return true;
}

static const char *port_fatal(void *self) { return (void)self, ""; }
static int port_reopen(void *self) { return (void)self, 0; }
static int port_flush_left(void *self) { return (void)self, (int)sink.count; }
static void port_close(void *self) { (void)self; }

int sink_open(const struct config *config, void (*wake)(void *), void *wake_self,
              bool (*header)(const void *, size_t, const char **, const void **, size_t *),
              struct producer *producer)
{
    static const struct producer_ops ops = {port_produce, port_poll,       port_fatal,
                                            port_reopen,  port_flush_left, port_close};

    (void)config, (void)wake, (void)wake_self, (void)header;
    *producer = (struct producer) {.ops = &ops, .self = &sink};
    return 0;
}
