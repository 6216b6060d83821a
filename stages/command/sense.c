/* sense.c - do the settings make sense together?  What no row of settings.c can say. */
#include "stages/command/sense.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pipeline/config.h"
#include "pipeline/error.h"
#include "stages/activity/rule.h"
#include "stages/detect/detect.h"
#include "stages/intake/start.h"
#include "stages/outlet/rdkafka_conf.h"
#include "stages/outlet/redis_place.h"
#include "stages/serve/http.h"

/* A duration that may not be longer than another. */
static const struct {
    const char *shorter, *longer;
} orders[] = {
    {"retention.linger", "retention.terminal"},
    {"checkpoint.interval", "runners.drain_max"},
};

static int check_orders(const struct config *config)
{
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        const char *shorter = orders[i].shorter, *longer = orders[i].longer;

        if (config_ms(config, shorter) <= config_ms(config, longer))
            continue;
        (void)error_set("found %s, accepted is at most %s, which is %s",
                        config_text(config, shorter), longer, config_text(config, longer));
        return config_blame(config, config_given(config, shorter) ? shorter : longer);
    }
    return 0;
}

static int check_brokers(const struct config *config)
{
    if (*config_text(config, "kafka.brokers") != '\0')
        return 0;
    (void)error_set("found nothing, accepted is host:port[,host:port]");
    return config_blame(config, "kafka.brokers");
}

static int check_start(const struct config *config)
{
    struct start start;

    return start_read(config, &start);
}

static int check_redis_place(const struct config *config)
{
    struct redis_place place;

    if (redis_place_read(config, &place) != 0)
        return -1;
    redis_place_free(&place);
    return 0;
}

/* Two kinds of messages in one topic would be read as each other. */
static int check_topics(const struct config *config)
{
    static const char *const topics[] = {
        "kafka.topics.scans", "kafka.topics.alerts", "kafka.topics.etas",
        "kafka.topics.dead_letters", "kafka.topics.progress", "kafka.topics.activity"};

    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        const char *name = config_text(config, topics[i]);

        if (*name == '\0') {
            (void)error_set("found nothing, accepted is a topic's name");
            return config_blame(config, topics[i]);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(config_text(config, topics[k]), name) != 0)
                continue;
            (void)error_set("found %s, accepted is another topic than %s", name, topics[k]);
            return config_blame(config, config_given(config, topics[i]) ? topics[i] : topics[k]);
        }
    }
    return 0;
}

/* What is written below rdkafka, as librdkafka takes it. */
static int check_rdkafka(const struct config *config)
{
    static const struct rdkafka_setting none[] = {{NULL, NULL}};
    static const char *const            sides[] = {"consumer", "producer"};

    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        rd_kafka_conf_t *conf = rdkafka_conf_create(config, sides[i], none, none);

        if (conf == NULL)
            return -1;
        rd_kafka_conf_destroy(conf);
    }
    return 0;
}

static int check_rules(const struct config *config)
{
    struct rules *rules = rules_create(config, UINT32_MAX);

    if (rules == NULL)
        return -1;
    rules_destroy(rules);
    return 0;
}

/* The rules about activity can do what is asked of them. */
static int check_activity(const struct config *config)
{
    struct rule_values values;

    return rule_values_read(&values, config);
}

int sense_check(const struct config *config)
{
    static int (*const checks[])(const struct config *) = {
        check_brokers, check_topics, check_start, check_redis_place, check_orders, check_rdkafka,
        check_activity, check_rules, http_check};

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i](config) != 0)
            return -1;
    return 0;
}
