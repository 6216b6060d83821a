package peers;

/**
 * One scan. A mutable POJO with public fields, which Flink ships without reflection at run time;
 * what a message does not say is "".
 */
public class Scan {
    public String parcel = "";
    public String code = "";
    public String facility = "";
    public String next = "";
    public String dest = "";
    public String promise = "";
    /** When it was scanned. */
    public long timeMs;
    /** The clock of its partition: the highest Kafka timestamp up to this scan's own. */
    public long clockMs;

    public Scan() {}
}
