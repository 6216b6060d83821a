package peers;

import java.util.Set;

/**
 * The job itself, shared by all engines, so that they differ in nothing but what is around it.
 *
 * <p>What comes out depends on the order of a parcel's own scans and on the clock of its partition
 * alone, not on when an engine looks at its timers: so the outputs can be compared byte by byte.
 */
public final class Job {
    static final long SILENCE_MS = 24 * 3_600_000L;
    /** An ETA that moves by less is not told again. With 1 h two scans of three would tell one. */
    static final long ETA_MOVES_MS = 12 * 3_600_000L;
    private static final Set<String> ENDS =
        Set.of("DELIVERED", "RETURNED", "CANCELLED", "LOST", "DESTROYED");

    /** Where outputs go; key = parcel. */
    public interface Out {
        void eta(String parcel, byte[] json);

        void alert(String parcel, byte[] json);
    }

    private Job() {}

    /** False: a duplicate, and the parcel is as it was. */
    public static boolean apply(Parcel p, Scan s, Out out) {
        long fingerprint = fingerprint(s);
        if (p.remembers(fingerprint)) {
            Counters.DUPLICATES.increment();
            return false;
        }
        p.remember(fingerprint);
        if (p.deadlineMs != 0 && s.clockMs >= p.deadlineMs) tellSilence(p, s.parcel, out);
        if (s.code.equals("ATTEMPT_FAILED") && ++p.attempts == 2)
            alert("delivery-failed", p, s.parcel, s.facility, s.timeMs, out);
        if (s.timeMs >= p.timeMs) advance(p, s, out);
        p.deadlineMs = p.ended ? 0 : s.clockMs + SILENCE_MS;
        return true;
    }

    /** A timer came due at this clock; returns when the next one should, or 0. */
    public static long timer(Parcel p, String parcel, long clockMs, Out out) {
        if (p.deadlineMs != 0 && p.deadlineMs <= clockMs) tellSilence(p, parcel, out);
        p.hasTimer = p.deadlineMs != 0;
        return p.deadlineMs;
    }

    /** The scan is the latest by event time; late ones change no state. */
    private static void advance(Parcel p, Scan s, Out out) {
        boolean expected = p.next.isEmpty() || p.next.equals(s.facility)
            || s.facility.equals(s.dest) || p.returning;
        if (s.code.equals("ARRIVE") && !expected)
            alert("misrouted", p, s.parcel, s.facility, s.timeMs, out);
        if (s.code.equals("RETURN_START")) p.returning = true;
        if (ENDS.contains(s.code)) p.ended = true;
        if (!p.ended) promise(p, s, out);
        p.code = s.code;
        p.timeMs = s.timeMs;
        if (s.facility.isEmpty() && !s.code.equals("REROUTED")) return;
        p.facility = s.facility;
        p.next = s.code.equals("REROUTED") ? "" : s.next;
    }

    private static void promise(Parcel p, Scan s, Out out) {
        int minutes = Remaining.minutes(s.facility, s.dest);
        if (minutes < 0) return;
        long etaMs = s.timeMs + minutes * 60_000L;
        if (Math.abs(etaMs - p.etaMs) <= ETA_MOVES_MS) return;
        Counters.ETAS.increment();
        out.eta(s.parcel, Json.eta(s, etaMs, p.etaMs));
        p.etaMs = etaMs;
    }

    private static void tellSilence(Parcel p, String parcel, Out out) {
        alert("stalled", p, parcel, p.facility, p.deadlineMs, out);
        p.deadlineMs = 0;
    }

    private static void alert(String type, Parcel p, String parcel, String facility, long atMs,
                              Out out) {
        Counters.ALERTS.increment();
        out.alert(parcel, Json.alert(type, parcel, facility, p.next, atMs, p.attempts));
    }

    private static long fingerprint(Scan s) {
        long h = hash(hash(0xcbf29ce484222325L, s.code), s.facility);
        return mix(h ^ s.timeMs / 1000 * 0x9E3779B97F4A7C15L);
    }

    private static long hash(long h, String text) {
        for (int i = 0; i < text.length(); i++) h = (h ^ text.charAt(i)) * 0x100000001b3L;
        return (h ^ 0xff) * 0x100000001b3L;
    }

    static long mix(long x) {
        x = (x ^ x >>> 33) * 0xff51afd7ed558ccdL;
        x = (x ^ x >>> 33) * 0xc4ceb9fe1a85ec53L;
        return x ^ x >>> 33;
    }
}
