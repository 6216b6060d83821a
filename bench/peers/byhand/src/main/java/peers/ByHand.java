package peers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.Response;

/**
 * What a team writes by hand: two consumers, each with one pipelined connection to Redis. A
 * parcel is the hash `RUN:p:PARCEL` with fields others can read, and what a partition waits for
 * the sorted set `RUN:t:PARTITION`. A batch is read, applied, written, acknowledged, committed.
 */
public final class ByHand {
    private static final int THREADS = 2, FIRED_AT_ONCE = 1000;
    private static final long LOOK_MS = 300_000;
    private static final Meter METER = new Meter();
    /** Shared: a partition may change hands. */
    private static final Map<Integer, Long> CLOCKS = new ConcurrentHashMap<>();
    private static final Map<Integer, Long> LOOKED = new ConcurrentHashMap<>();

    private ByHand() {}

    static final class Worker extends Thread implements Job.Out {
        private final String run = Settings.text("run");
        private final KafkaConsumer<String, byte[]> consumer = consumer(run);
        private final KafkaProducer<String, byte[]> producer = producer();
        private final Jedis redis = new Jedis("127.0.0.1", (int) Settings.number("redis"), 10_000);
        private final Pipeline pipe = redis.pipelined();
        private volatile Exception failed;

        private static KafkaConsumer<String, byte[]> consumer(String run) {
            Properties p = Clients.consumer();
            p.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, Settings.text("brokers"));
            p.put(ConsumerConfig.GROUP_ID_CONFIG, run);
            p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
            return new KafkaConsumer<>(p, new StringDeserializer(), new ByteArrayDeserializer());
        }

        /** Each batch ends with a flush, which does not wait for the linger. */
        private static KafkaProducer<String, byte[]> producer() {
            Properties p = Clients.producer(5);
            p.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, Settings.text("brokers"));
            return new KafkaProducer<>(p, new StringSerializer(), new ByteArraySerializer());
        }

        @Override
        public void run() {
            try {
                consumer.subscribe(List.of(Settings.text("topic")));
                while (!METER.drained()) step(consumer.poll(Duration.ofMillis(100)));
                for (TopicPartition p : consumer.assignment()) fire(p.partition(), Long.MAX_VALUE);
                flush();
                producer.close();
                consumer.close();
                pipe.close();
                redis.close();
            } catch (Exception e) {
                e.printStackTrace();
                Runtime.getRuntime().halt(1);
            }
        }

        private void step(ConsumerRecords<String, byte[]> records) throws Exception {
            if (records.isEmpty()) return;
            for (TopicPartition p : records.partitions()) batch(p.partition(), records.records(p));
            flush();
            consumer.commitSync();
            Counters.SCANS.add(records.count());
        }

        private void flush() throws Exception {
            producer.flush();
            if (failed != null) throw failed;
        }

        private void batch(int partition, List<ConsumerRecord<String, byte[]>> records) {
            long clockMs = CLOCKS.getOrDefault(partition, 0L);
            List<Scan> scans = new ArrayList<>(records.size());
            Set<String> names = new LinkedHashSet<>();
            for (ConsumerRecord<String, byte[]> r : records) {
                clockMs = Math.max(clockMs, r.timestamp());
                scans.add(Json.scan(r.value(), clockMs));
                names.add(r.key());
            }
            CLOCKS.put(partition, clockMs);
            Map<String, Parcel> parcels = load(names);
            Set<String> changed = new LinkedHashSet<>();
            for (Scan s : scans)
                if (Job.apply(parcels.get(s.parcel), s, this)) changed.add(s.parcel);
            for (String name : changed) {
                Parcel p = parcels.get(name);
                if (p.deadlineMs != 0 && !p.hasTimer) setTimer(partition, p, name);
                pipe.hset(key(name), Hash.of(p));
            }
            pipe.sync();
            if (clockMs - LOOKED.getOrDefault(partition, 0L) >= LOOK_MS) fire(partition, clockMs);
        }

        private byte[] key(String parcel) { return (run + ":p:" + parcel).getBytes(ISO_8859_1); }

        private String timers(int partition) { return run + ":t:" + partition; }

        private void setTimer(int partition, Parcel p, String name) {
            pipe.zadd(timers(partition), p.deadlineMs, name);
            p.hasTimer = true;
        }

        private Map<String, Parcel> load(Iterable<String> names) {
            Map<String, Response<List<byte[]>>> asked = new LinkedHashMap<>();
            for (String name : names) asked.put(name, pipe.hmget(key(name), Hash.FIELDS));
            pipe.sync();
            Map<String, Parcel> parcels = new LinkedHashMap<>();
            asked.forEach((name, answer) -> parcels.put(name, Hash.parcel(answer.get())));
            return parcels;
        }

        private void fire(int partition, long clockMs) {
            LOOKED.put(partition, clockMs);
            String timers = timers(partition);
            for (List<String> due;
                    !(due = redis.zrangeByScore(timers, 0, clockMs, 0, FIRED_AT_ONCE)).isEmpty();) {
                load(due).forEach((name, p) -> {
                    if (Job.timer(p, name, clockMs, this) != 0) setTimer(partition, p, name);
                    else pipe.zrem(timers, name);
                    pipe.hset(key(name), Hash.of(p));
                });
                pipe.sync();
            }
        }

        @Override
        public void eta(String parcel, byte[] json) { send("-etas", parcel, json); }

        @Override
        public void alert(String parcel, byte[] json) { send("-alerts", parcel, json); }

        private void send(String topic, String parcel, byte[] json) {
            producer.send(new ProducerRecord<>(run + topic, parcel, json), (metadata, e) -> {
                if (e != null) failed = e;
            });
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        List<Worker> workers = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) workers.add(new Worker());
        METER.start();
        for (Worker w : workers) w.start();
        for (Worker w : workers) w.join();
        METER.ended();
    }
}
