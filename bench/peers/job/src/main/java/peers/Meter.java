package peers;

/**
 * Says on standard output where the drain is: `begun`, `half`, `drained`, and at the end `ended`
 * with the counts. Who started the process reads clocks and CPU at each line.
 */
public final class Meter extends Thread {
    private static final int LOOK_MS = 10;
    private final long scans = Settings.number("scans");
    private volatile boolean drained;

    public Meter() {
        super("meter");
        setDaemon(true);
    }

    public boolean drained() { return drained; }

    @Override
    public void run() {
        try {
            reach(1, "begun");
            reach(scans / 2, "half");
            reach(scans, "drained");
            drained = true;
        } catch (InterruptedException e) {
            currentThread().interrupt();
        }
    }

    private static void reach(long scans, String word) throws InterruptedException {
        while (Counters.SCANS.sum() < scans) sleep(LOOK_MS);
        say(word);
    }

    /** Everything is told and acknowledged. */
    public void ended() throws InterruptedException {
        join();
        say(String.format("ended {\"scans\":%d,\"duplicates\":%d,\"etas\":%d,\"alerts\":%d}",
            Counters.SCANS.sum(), Counters.DUPLICATES.sum(), Counters.ETAS.sum(),
            Counters.ALERTS.sum()));
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
