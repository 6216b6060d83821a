/* The topology table: what is refused, with which words; how it expands; its drawing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/error.h"
#include "pipeline/graph.h"

static enum stage_verdict hold(struct stage *stage, struct batch *batch, uint64_t now_ns)
{
    (void)stage;
    (void)batch;
    (void)now_ns;
    return STAGE_HOLD;
}

#define TYPE(label, in_min, in_max, out_min, out_max)                                        \
    {                                                                                        \
        .name = label, .inputs_min = (in_min), .inputs_max = (in_max),                       \
        .outputs_min = (out_min), .outputs_max = (out_max), .burst = 2, .on_batch = hold     \
    }

static const struct stage_type source = TYPE("source", 0, 0, 1, 16);
static const struct stage_type decode = TYPE("decode", 1, 1, 1, 32);
static const struct stage_type track = TYPE("track", 1, 2, 1, 2);
static const struct stage_type store = TYPE("store", 1, 1, 0, 1);
static const struct stage_type sink = TYPE("sink", 1, 16, 0, 0);

enum { RAW, SCANS, WRITES };

static const char *const kinds[] = {"RAW", "SCANS", "WRITES"};

static const struct graph_stage good_stages[] = {
    {&source, "in", 1}, {&decode, "in", 1},       {&track, "worker", 0},
    {&store, "worker", 0}, {&sink, "out", 1},
};
static const struct graph_link good_links[] = {
    {"source", "decode", RAW, 8, 16},    {"decode", "track", SCANS, 4, 8},
    {"track", "store", WRITES, 4, 8},    {"track", "sink", SCANS, 4, 8},
};

static struct graph_plan good_plan(uint32_t workers)
{
    return (struct graph_plan) {
        .stages = good_stages, .stages_count = 5, .links = good_links, .links_count = 4,
        .kinds = kinds, .workers = workers,
    };
}

static void expands(void **state)
{
    struct graph_plan plan = good_plan(3);
    struct graph     *graph = graph_create(&plan, NULL);

    (void)state;
    assert_non_null(graph);
    assert_int_equal(graph_stages(graph), 9);
    assert_int_equal(graph_runners(graph), 5);
    static const struct {
        const char *name;
        uint32_t    index, inputs, outputs;
    } expected[] = {
        {"source", 0, 0, 1},  {"decode", 0, 1, 3},  {"track.0", 0, 1, 2},
        {"track.1", 1, 1, 2}, {"track.2", 2, 1, 2}, {"store.0", 0, 1, 0},
        {"store.1", 1, 1, 0}, {"store.2", 2, 1, 0}, {"sink", 0, 3, 0},
    };
    for (uint32_t i = 0; i < 9; i++) {
        struct stage *stage = graph_stage(graph, i);

        assert_string_equal(stage_name(stage), expected[i].name);
        assert_int_equal(stage_index(stage), expected[i].index);
        assert_int_equal(stage_inputs(stage), expected[i].inputs);
        assert_int_equal(stage_outputs(stage), expected[i].outputs);
        assert_int_equal((uintptr_t)stage_state(stage) % 64, 0);
    }
    assert_false(graph_halted(graph));
    assert_false(graph_failed(graph));
    graph_destroy(graph);
    graph_destroy(NULL);

    plan.fused = 1;
    graph = graph_create(&plan, NULL);
    assert_int_equal(graph_runners(graph), 1);
    graph_destroy(graph);
}

static void draws(void **state)
{
    struct graph_plan plan = good_plan(3);
    char             *text = NULL;
    size_t            size = 0;
    FILE             *file = open_memstream(&text, &size);

    (void)state;
    assert_non_null(file);
    graph_print(&plan, file);
    assert_int_equal(fclose(file), 0);
    assert_ptr_equal(strstr(text, "digraph pipeline {"), text);
    assert_non_null(strstr(text, "subgraph cluster_worker {\n        label=\"worker × 3\";\n"
                                 "        \"track\";\n        \"store\";\n    }\n"));
    assert_non_null(strstr(text, "\"decode\" -> \"track\" [label=\"SCANS\\n4 of 8\"];\n"));
    free(text);
}

static void refuse(const struct graph_plan *plan, const char *said)
{
    error_clear();
    struct graph *graph = graph_create(plan, NULL);

    if (graph != NULL || strstr(error_text(), said) == NULL)
        print_message("wanted: %s\n  said: %s\n", said, error_text());
    assert_null(graph);
    assert_non_null(strstr(error_text(), said));
}

static void refuses_numbers(void **state)
{
    struct graph_plan plan = good_plan(0);

    (void)state;
    refuse(&plan, "topology: 0 workers; there may be 1 to 16");
    plan.workers = 17;
    refuse(&plan, "17 workers");
    plan = good_plan(1);
    plan.stages_count = 0;
    refuse(&plan, "0 stages; there may be 1 to 64");
}

static void refuse_stage(struct graph_stage stage, const char *said)
{
    struct graph_stage stages[5];
    struct graph_plan  plan = good_plan(2);

    memcpy(stages, good_stages, sizeof stages);
    stages[4] = stage;
    plan.stages = stages;
    refuse(&plan, said);
}

static void refuses_stages(void **state)
{
    struct stage_type no_burst = decode, no_batch = sink;

    (void)state;
    refuse_stage((struct graph_stage) {&sink, "nowhere", 1},
                 "stage sink: runner is nowhere; it may be in, worker or out");
    refuse_stage((struct graph_stage) {&sink, "out", 2}, "stage sink: copies is 2");
    refuse_stage((struct graph_stage) {&decode, "out", 1}, "stage decode stands twice");
    no_burst.name = "other";
    no_burst.burst = 0;
    refuse_stage((struct graph_stage) {&no_burst, "out", 1}, "other has outputs but a burst of 0");
    no_batch.name = "other";
    no_batch.on_batch = NULL;
    refuse_stage((struct graph_stage) {&no_batch, "out", 1}, "other has inputs but no on_batch");
}

static void refuse_link(struct graph_link link, const char *said)
{
    struct graph_link links[5];
    struct graph_plan plan = good_plan(2);

    memcpy(links, good_links, sizeof good_links);
    links[4] = link;
    plan.links = links;
    plan.links_count = 5;
    refuse(&plan, said);
}

static void refuses_links(void **state)
{
    (void)state;
    refuse_link((struct graph_link) {"source", "nobody", RAW, 8, 8},
                "link source→nobody: there is no stage nobody");
    refuse_link((struct graph_link) {"nobody", "sink", RAW, 8, 8}, "there is no stage nobody");
    refuse_link((struct graph_link) {"source", "sink", 16, 8, 8}, "there is no batch kind 16");
    refuse_link((struct graph_link) {"source", "sink", RAW, 6, 8},
                "link source→sink: depth is 6; it has to be a power of two");
    refuse_link((struct graph_link) {"source", "sink", RAW, 8, 1},
                "source emits up to 2 batches at once, but depth is 8 and outstanding_max 1");
    refuse_link((struct graph_link) {"source", "store", RAW, 8, 8},
                "stage store has 2 inputs; it takes 1 to 1");
    refuse_link((struct graph_link) {"sink", "track", RAW, 8, 8},
                "stage sink has 2 outputs; it takes 0 to 0");
}

static void refuses_circles(void **state)
{
    static const struct stage_type any[] = {
        TYPE("a", 0, 9, 0, 9), TYPE("b", 0, 9, 0, 9), TYPE("c", 0, 9, 0, 9),
        TYPE("d", 0, 9, 0, 9),
    };
    const struct graph_stage stages[] = {
        {&any[0], "in", 1}, {&any[1], "in", 1}, {&any[2], "worker", 0}, {&any[3], "out", 1},
    };
    const struct graph_link links[] = {
        {"a", "b", RAW, 4, 4}, {"b", "c", RAW, 4, 4}, {"c", "d", RAW, 4, 4},
        {"d", "b", RAW, 4, 4},
    };
    struct graph_plan plan = {
        .stages = stages, .stages_count = 4, .links = links, .links_count = 4, .workers = 2,
    };

    (void)state;
    refuse(&plan, "go round in a circle");
    assert_non_null(strstr(error_text(), "b→c→d→b"));
    plan.links_count = 3;
    struct graph *graph = graph_create(&plan, NULL);
    assert_non_null(graph);
    graph_destroy(graph);
    const struct graph_link self[] = {{"a", "a", RAW, 4, 4}};
    plan.links = self;
    plan.links_count = 1;
    refuse(&plan, "the links a→a go round");
}

static int refuse_init(struct stage *stage, const struct config *config)
{
    (void)stage;
    (void)config;
    return error_set("no memory for a table");
}

static int fini_calls;

static void count_fini(struct stage *stage)
{
    (void)stage;
    fini_calls++;
}

static void a_failed_init_undoes_the_others(void **state)
{
    struct stage_type  first = source, broken = sink;
    struct graph_stage stages[] = {{&first, "in", 1}, {&broken, "out", 1}};
    struct graph_link  links[] = {{"source", "sink", RAW, 4, 4}};
    struct graph_plan  plan = {
        .stages = stages, .stages_count = 2, .links = links, .links_count = 1, .workers = 1,
    };

    (void)state;
    first.fini = count_fini;
    broken.init = refuse_init;
    broken.fini = count_fini;
    refuse(&plan, "sink: no memory for a table");
    assert_int_equal(fini_calls, 1); /* that of the one whose init returned 0 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands),
        cmocka_unit_test(draws),
        cmocka_unit_test(refuses_numbers),
        cmocka_unit_test(refuses_stages),
        cmocka_unit_test(refuses_links),
        cmocka_unit_test(refuses_circles),
        cmocka_unit_test(a_failed_init_undoes_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
