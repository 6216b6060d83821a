package peers;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** The job on Flink: state on the heap, checkpoints every -Dpeers.checkpoint ms to files. */
public final class Flink {
    private static final OutputTag<Told> ALERTS =
        new OutputTag<>("alerts", TypeInformation.of(Told.class));

    private Flink() {}

    /** An output; a POJO for Flink's serializers. */
    public static class Told {
        public String parcel;
        public byte[] json;

        public Told() {}

        Told(String parcel, byte[] json) {
            this.parcel = parcel;
            this.json = json;
        }
    }

    static final class Reader implements KafkaRecordDeserializationSchema<Scan> {
        private transient Map<Integer, Long> clocks;

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Scan> out) {
            if (clocks == null) clocks = new HashMap<>();
            long clockMs = clocks.merge(record.partition(), record.timestamp(), Math::max);
            out.collect(Json.scan(record.value(), clockMs));
        }

        @Override
        public TypeInformation<Scan> getProducedType() { return TypeInformation.of(Scan.class); }
    }

    static final class Tracker extends KeyedProcessFunction<String, Scan, Told> implements Job.Out {
        private transient ValueState<Parcel> state;
        private transient Collector<Told> etas;
        private transient Context context;

        @Override
        public void open(OpenContext c) {
            state = getRuntimeContext().getState(
                new ValueStateDescriptor<>("parcel", Parcel.class));
        }

        @Override
        public void processElement(Scan s, Context c, Collector<Told> out) throws Exception {
            etas = out;
            context = c;
            Parcel p = state.value();
            if (p == null) p = new Parcel();
            if (Job.apply(p, s, this)) {
                if (p.deadlineMs != 0 && !p.hasTimer) {
                    c.timerService().registerEventTimeTimer(p.deadlineMs);
                    p.hasTimer = true;
                }
                state.update(p);
            }
            Counters.SCANS.increment();
        }

        @Override
        public void onTimer(long ms, OnTimerContext c, Collector<Told> out) throws Exception {
            etas = out;
            context = c;
            Parcel p = state.value();
            long again = Job.timer(p, c.getCurrentKey(), ms, this);
            if (again != 0) c.timerService().registerEventTimeTimer(again);
            state.update(p);
        }

        @Override
        public void eta(String parcel, byte[] json) { etas.collect(new Told(parcel, json)); }

        @Override
        public void alert(String parcel, byte[] json) {
            context.output(ALERTS, new Told(parcel, json));
        }
    }

    private static KafkaSource<Scan> source() {
        return KafkaSource.<Scan>builder().setProperties(Clients.consumer())
            .setBootstrapServers(Settings.text("brokers")).setTopics(Settings.text("topic"))
            .setGroupId(Settings.text("run")).setStartingOffsets(OffsetsInitializer.earliest())
            .setBounded(OffsetsInitializer.latest()).setDeserializer(new Reader()).build();
    }

    private static KafkaSink<Told> sink(String name) {
        Properties p = Clients.producer(50);
        return KafkaSink.<Told>builder().setBootstrapServers(Settings.text("brokers"))
            .setKafkaProducerConfig(p).setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .setRecordSerializer(KafkaRecordSerializationSchema.<Told>builder()
                .setTopic(Settings.text("run") + name)
                .setKeySerializationSchema(
                    (Told told) -> told.parcel.getBytes(StandardCharsets.ISO_8859_1))
                .setValueSerializationSchema((Told told) -> told.json).build())
            .build();
    }

    /** A generic type would fall back to Kryo, and a failure be retried for ever: both fail. */
    private static Configuration configuration() {
        return Configuration.fromMap(Map.of(
            "state.backend.type", "hashmap",
            "execution.checkpointing.storage", "filesystem",
            "execution.checkpointing.dir", "file://" + Settings.text("dir"),
            "execution.checkpointing.mode", "AT_LEAST_ONCE",
            "execution.checkpointing.interval", Settings.text("checkpoint") + " ms",
            "taskmanager.numberOfTaskSlots", "2",
            "restart-strategy.type", "none",
            "pipeline.object-reuse", "true",
            "pipeline.generic-types", "false"));
    }

    public static void main(String[] arguments) throws Exception {
        StreamExecutionEnvironment flow =
            StreamExecutionEnvironment.createLocalEnvironment(2, configuration());
        SingleOutputStreamOperator<Told> etas = flow
            .fromSource(source(), WatermarkStrategy.forMonotonousTimestamps(), "scans")
            .keyBy(s -> s.parcel).process(new Tracker()).returns(TypeInformation.of(Told.class));
        etas.sinkTo(sink("-etas")).name("etas");
        etas.getSideOutput(ALERTS).sinkTo(sink("-alerts")).name("alerts");
        Meter meter = new Meter();
        meter.start();
        flow.execute("parcels");
        meter.ended();
        System.exit(0);
    }
}
