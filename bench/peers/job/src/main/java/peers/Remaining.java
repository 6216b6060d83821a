package peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * How long it still takes, by facility and destination: a table made once from the network's
 * places. Half a day, and the way by road, or by air where it is far.
 */
final class Remaining {
    private static final double FAR_KM = 2500, ROAD_KM_H = 25, AIR_KM_H = 60, EARTH_KM = 12742;
    private static final int HANDLING_MINUTES = 720;
    private static final Map<String, Integer> PLACES = new HashMap<>();
    private static final int[][] MINUTES = read(Path.of(Settings.text("facilities")));

    private Remaining() {}

    /** -1: a place nobody knows. */
    static int minutes(String from, String to) {
        Integer a = PLACES.get(from), b = PLACES.get(to);
        return a == null || b == null ? -1 : MINUTES[a][b];
    }

    /** code,name,kind,country,lat,lon,zone, as `peakload generate --csv-facilities` writes it. */
    private static int[][] read(Path file) {
        List<String> lines;
        try {
            lines = Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        int n = lines.size() - 1;
        double[][] at = new double[n][];
        for (int i = 0; i < n; i++) {
            String[] field = lines.get(i + 1).split(",");
            PLACES.put(field[0], i);
            at[i] = new double[] {Math.toRadians(Double.parseDouble(field[4])),
                Math.toRadians(Double.parseDouble(field[5]))};
        }
        int[][] minutes = new int[n][n];
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++) minutes[a][b] = minutes(distanceKm(at[a], at[b]));
        return minutes;
    }

    private static int minutes(double km) {
        return HANDLING_MINUTES + (int) (km / (km < FAR_KM ? ROAD_KM_H : AIR_KM_H) * 60);
    }

    private static double distanceKm(double[] a, double[] b) {
        double lat = Math.sin((b[0] - a[0]) / 2), lon = Math.sin((b[1] - a[1]) / 2);
        double h = lat * lat + Math.cos(a[0]) * Math.cos(b[0]) * lon * lon;
        return EARTH_KM * Math.asin(Math.sqrt(Math.min(1, h)));
    }
}
