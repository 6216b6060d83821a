package peers;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/** The job on Kafka Streams, Processor API; -Dpeers.store=memory or rocksdb, with changelogs. */
public final class Streams {
    private static final Meter METER = new Meter();
    private static final AtomicInteger UNFINISHED = new AtomicInteger();

    private Streams() {}

    static final class Tracker implements Processor<String, byte[], String, byte[]>, Job.Out {
        private static final byte[] NOTHING = new byte[0];
        private ProcessorContext<String, byte[]> context;
        private KeyValueStore<String, Parcel> parcels;
        /** Keys are time and parcel; one a parcel, set anew when it comes due too early. */
        private KeyValueStore<String, byte[]> timers;
        private long clockMs;
        /** Where the last look ended: RocksDB would walk the tombstones of all before. */
        private String looked = "";
        private boolean finished;

        @Override
        public void init(ProcessorContext<String, byte[]> c) {
            context = c;
            parcels = c.getStateStore("parcels");
            timers = c.getStateStore("timers");
            UNFINISHED.incrementAndGet();
            c.schedule(Duration.ofMinutes(5), PunctuationType.STREAM_TIME, this::look);
            c.schedule(Duration.ofMillis(100), PunctuationType.WALL_CLOCK_TIME, wall -> finish());
        }

        @Override
        public void close() {
            if (!finished) UNFINISHED.decrementAndGet();
        }

        @Override
        public void process(Record<String, byte[]> record) {
            clockMs = record.timestamp();
            Scan s = Json.scan(record.value(), clockMs);
            Parcel p = parcels.get(record.key());
            if (p == null) p = new Parcel();
            if (Job.apply(p, s, this)) {
                if (p.deadlineMs != 0 && !p.hasTimer) {
                    timers.put(timerKey(p.deadlineMs, s.parcel), NOTHING);
                    p.hasTimer = true;
                }
                parcels.put(record.key(), p);
            }
            Counters.SCANS.increment();
        }

        /** Fixed width, so that the order of the bytes is that of time. */
        private static String timerKey(long ms, String parcel) {
            String hex = Long.toHexString(ms);
            return "0".repeat(16 - hex.length()) + hex + parcel;
        }

        private void look(long nowMs) {
            clockMs = Math.max(clockMs, nowMs);
            fire(nowMs);
        }

        private void fire(long nowMs) {
            String end = timerKey(nowMs, "~");
            List<String> due = new ArrayList<>();
            try (KeyValueIterator<String, byte[]> range = timers.range(looked, end)) {
                while (range.hasNext()) due.add(range.next().key);
            }
            looked = timerKey(nowMs, "");
            for (String key : due) {
                timers.delete(key);
                String parcel = key.substring(16);
                Parcel p = parcels.get(parcel);
                long again = Job.timer(p, parcel, nowMs, this);
                if (again != 0) timers.put(timerKey(again, parcel), NOTHING);
                parcels.put(parcel, p);
            }
        }

        /** The topic is drained: what still waits is told, as in every engine. */
        private void finish() {
            if (finished || !METER.drained()) return;
            fire(Long.MAX_VALUE);
            finished = true;
            UNFINISHED.decrementAndGet();
        }

        @Override
        public void eta(String parcel, byte[] json) {
            context.forward(new Record<>(parcel, json, clockMs), "etas");
        }

        @Override
        public void alert(String parcel, byte[] json) {
            context.forward(new Record<>(parcel, json, clockMs), "alerts");
        }
    }

    /** Commit interval: the default, 30 s. No record cache: with one it was slower. */
    private static Properties properties() {
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, Settings.text("run"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, Settings.text("brokers"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, Settings.text("dir"));
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.AT_LEAST_ONCE);
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0);
        p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5000);
        Clients.consumer().forEach((k, v) -> p.put(StreamsConfig.consumerPrefix((String) k), v));
        Clients.producer(50).forEach((k, v) -> p.put(StreamsConfig.producerPrefix((String) k), v));
        return p;
    }

    private static KeyValueBytesStoreSupplier store(String name) {
        return switch (Settings.text("store")) {
            case "memory" -> Stores.inMemoryKeyValueStore(name);
            case "rocksdb" -> Stores.persistentKeyValueStore(name);
            default -> throw new IllegalArgumentException("peers.store: memory or rocksdb");
        };
    }

    private static Topology topology() {
        Serde<Parcel> parcel = Serdes.serdeFrom((topic, p) -> p == null ? null : p.toBytes(),
            (topic, bytes) -> bytes == null ? null : Parcel.fromBytes(bytes));
        return new Topology()
            .addSource(AutoOffsetReset.earliest(), "scans",
                (record, clockMs) -> Math.max(record.timestamp(), clockMs),
                new StringDeserializer(), new ByteArrayDeserializer(), Settings.text("topic"))
            .addProcessor("tracker", Tracker::new, "scans")
            .addStateStore(
                Stores.keyValueStoreBuilder(store("parcels"), Serdes.String(), parcel), "tracker")
            .addStateStore(Stores.keyValueStoreBuilder(store("timers"), Serdes.String(),
                Serdes.ByteArray()), "tracker")
            .addSink("etas", Settings.text("run") + "-etas", new StringSerializer(),
                new ByteArraySerializer(), "tracker")
            .addSink("alerts", Settings.text("run") + "-alerts", new StringSerializer(),
                new ByteArraySerializer(), "tracker");
    }

    public static void main(String[] arguments) throws InterruptedException {
        KafkaStreams streams = new KafkaStreams(topology(), properties());
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
            return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        METER.start();
        streams.start();
        METER.join();
        while (UNFINISHED.get() > 0) Thread.sleep(20);
        if (!streams.close(Duration.ofSeconds(60))) throw new IllegalStateException("not closed");
        METER.ended();
    }
}
