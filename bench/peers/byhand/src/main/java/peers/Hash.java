package peers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A parcel as fields of a Redis hash; the fingerprints are one, in bytes. */
final class Hash {
    static final byte[][] FIELDS = fields("code", "facility", "next", "time", "attempts", "flags",
        "eta", "deadline", "scans", "seen");

    private Hash() {}

    private static byte[][] fields(String... names) {
        byte[][] fields = new byte[names.length][];
        for (int i = 0; i < names.length; i++) fields[i] = bytes(names[i]);
        return fields;
    }

    private static byte[] bytes(String text) { return text.getBytes(ISO_8859_1); }

    private static byte[] bytes(long number) { return bytes(Long.toString(number)); }

    private static String text(byte[] bytes) { return new String(bytes, ISO_8859_1); }

    private static long number(byte[] bytes) { return Long.parseLong(text(bytes)); }

    static Map<byte[], byte[]> of(Parcel p) {
        int flags = (p.returning ? 1 : 0) | (p.ended ? 2 : 0) | (p.hasTimer ? 4 : 0);
        int kept = Math.min(p.scans, Parcel.REMEMBERED);
        ByteBuffer seen = ByteBuffer.allocate(8 * kept);
        for (int i = 0; i < kept; i++) seen.putLong(p.fingerprints[i]);
        byte[][] values = {bytes(p.code), bytes(p.facility), bytes(p.next), bytes(p.timeMs),
            bytes(p.attempts), bytes(flags), bytes(p.etaMs), bytes(p.deadlineMs), bytes(p.scans),
            seen.array()};
        Map<byte[], byte[]> hash = new HashMap<>(2 * values.length);
        for (int i = 0; i < values.length; i++) hash.put(FIELDS[i], values[i]);
        return hash;
    }

    /** In the order of FIELDS; nulls: a parcel nobody knows yet. */
    static Parcel parcel(List<byte[]> values) {
        Parcel p = new Parcel();
        if (values.get(0) == null) return p;
        p.code = text(values.get(0));
        p.facility = text(values.get(1));
        p.next = text(values.get(2));
        p.timeMs = number(values.get(3));
        p.attempts = (int) number(values.get(4));
        int flags = (int) number(values.get(5));
        p.returning = (flags & 1) != 0;
        p.ended = (flags & 2) != 0;
        p.hasTimer = (flags & 4) != 0;
        p.etaMs = number(values.get(6));
        p.deadlineMs = number(values.get(7));
        p.scans = (int) number(values.get(8));
        ByteBuffer seen = ByteBuffer.wrap(values.get(9));
        for (int i = 0; seen.hasRemaining(); i++) p.fingerprints[i] = seen.getLong();
        return p;
    }
}
