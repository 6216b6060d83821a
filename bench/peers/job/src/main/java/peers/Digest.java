package peers;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * What topics hold, a line each: name, number of messages, a hash over keys and values that does
 * not depend on the order, and how many of each kind (`type`, with `severity` and `state` where
 * there are any).
 */
public final class Digest {
    private long records, hash;
    private final Map<String, Long> kinds = new TreeMap<>();

    public static void main(String[] topics) throws IOException {
        Map<String, Object> settings = Map.of(
            ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, Settings.text("brokers"),
            ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 5000);
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings,
                new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            for (String topic : topics)
                System.out.println(topic + " " + new Digest().read(consumer, topic));
        }
    }

    private String read(KafkaConsumer<byte[], byte[]> consumer, String topic) throws IOException {
        List<TopicPartition> parts = consumer.partitionsFor(topic).stream()
            .map(p -> new TopicPartition(topic, p.partition())).toList();
        consumer.assign(parts);
        consumer.seekToBeginning(parts);
        Map<TopicPartition, Long> ends = consumer.endOffsets(parts);
        while (parts.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
            for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) add(r);
        StringBuilder text = new StringBuilder();
        kinds.forEach((kind, n) -> text.append(text.isEmpty() ? "" : ",")
            .append('"').append(kind).append("\":").append(n));
        return String.format("{\"records\":%d,\"hash\":\"%016x\",\"kinds\":{%s}}", records, hash,
            text);
    }

    private void add(ConsumerRecord<byte[], byte[]> r) throws IOException {
        records++;
        hash += Job.mix(fnv(fnv(0xcbf29ce484222325L, r.key()), r.value()));
        String kind = r.value() == null ? "" : kind(r.value());
        if (!kind.isEmpty()) kinds.merge(kind, 1L, Long::sum);
    }

    private static long fnv(long h, byte[] data) {
        if (data == null) return h;
        for (byte b : data) h = (h ^ (b & 0xff)) * 0x100000001b3L;
        return (h ^ 0x100) * 0x100000001b3L;
    }

    private static String kind(byte[] value) throws IOException {
        String type = "", severity = "", state = "";
        try (JsonParser p = Json.FACTORY.createParser(value)) {
            p.nextToken();
            for (String name; (name = p.nextFieldName()) != null;) {
                p.nextToken();
                switch (name) {
                    case "type" -> type = p.getText();
                    case "severity" -> severity = " " + p.getText();
                    case "state" -> state = " " + p.getText();
                    default -> p.skipChildren();
                }
            }
        }
        return type + severity + state;
    }
}
