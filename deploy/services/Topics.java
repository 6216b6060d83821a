// Topics - creates topics on a broker and waits until it can be used: one JVM for all of them.
//
//     java -cp 'lib/*:classes' Topics BROKER [NAME:PARTITIONS[:compact]]...
//
// A topic that exists is left as it is.  Exits 1 when the broker does not answer within 60 s.
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.errors.TopicExistsException;

public final class Topics {
    public static void main(String[] arguments) throws Exception {
        List<NewTopic> topics = new ArrayList<>();
        for (int i = 1; i < arguments.length; i++) {
            topics.add(parse(arguments[i]));
        }
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "reconnect.backoff.ms", 50, "reconnect.backoff.max.ms", 200,
            "request.timeout.ms", 5000, "default.api.timeout.ms", 60000);
        try (Admin admin = Admin.create(settings)) {
            admin.describeCluster().nodes().get();
            for (var creation : admin.createTopics(topics).values().values()) {
                try {
                    creation.get();
                } catch (ExecutionException e) {
                    if (!(e.getCause() instanceof TopicExistsException)) {
                        throw e;
                    }
                }
            }
            List<String> names = topics.stream().map(NewTopic::name).toList();
            while (!led(admin, names)) {
                Thread.sleep(20);
            }
        } catch (ExecutionException e) {
            System.err.println("Topics: " + e.getCause().getMessage());
            System.exit(1);
        }
    }

    private static NewTopic parse(String text) {
        String[] part = text.split(":");
        NewTopic topic = new NewTopic(part[0], Integer.parseInt(part[1]), (short) 1);
        if (part.length > 2) {
            topic.configs(Map.of("cleanup.policy", part[2]));
        }
        return topic;
    }

    // Creation is answered before every partition has its leader.
    private static boolean led(Admin admin, List<String> names) throws InterruptedException {
        try {
            return admin.describeTopics(names).allTopicNames().get().values().stream()
                .flatMap(topic -> topic.partitions().stream())
                .allMatch(partition -> partition.leader() != null && !partition.leader().isEmpty());
        } catch (ExecutionException e) {
            return false;
        }
    }
}
