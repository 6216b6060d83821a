package peers;

/** What `bench/run peers` says with -Dpeers.NAME=VALUE. */
public final class Settings {
    private Settings() {}

    public static String text(String name) {
        String value = System.getProperty("peers." + name);
        if (value == null) throw new IllegalArgumentException("-Dpeers." + name + "=… is missing");
        return value;
    }

    public static long number(String name) { return Long.parseLong(text(name)); }
}
