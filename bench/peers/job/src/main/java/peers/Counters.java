package peers;

import java.util.concurrent.atomic.LongAdder;

/** What this process has done; all threads. */
public final class Counters {
    public static final LongAdder SCANS = new LongAdder();
    public static final LongAdder DUPLICATES = new LongAdder();
    public static final LongAdder ETAS = new LongAdder();
    public static final LongAdder ALERTS = new LongAdder();

    private Counters() {}
}
