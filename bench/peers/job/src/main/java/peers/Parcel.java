package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** All that is kept of a parcel; in bytes for the stores that hold bytes. */
public class Parcel {
    static final int REMEMBERED = 16;

    public String code = "";
    public String facility = "";
    public String next = "";
    public long timeMs;
    public int attempts;
    public boolean returning;
    public boolean ended;
    /** As last told; 0 = never. */
    public long etaMs;
    /** Silence is told at this clock; 0 = not waiting. */
    public long deadlineMs;
    /** The engine holds a timer; it may come due before the deadline, and is then set anew. */
    public boolean hasTimer;
    public int scans;
    public long[] fingerprints = new long[REMEMBERED];

    public Parcel() {}

    boolean remembers(long fingerprint) {
        for (int i = 0, n = Math.min(scans, REMEMBERED); i < n; i++)
            if (fingerprints[i] == fingerprint) return true;
        return false;
    }

    void remember(long fingerprint) { fingerprints[scans++ % REMEMBERED] = fingerprint; }

    public byte[] toBytes() {
        int kept = Math.min(scans, REMEMBERED);
        byte[] c = bytes(code), f = bytes(facility), n = bytes(next);
        ByteBuffer b = ByteBuffer.allocate(38 + c.length + f.length + n.length + 8 * kept);
        put(b, c);
        put(b, f);
        put(b, n);
        int flags = (returning ? 1 : 0) | (ended ? 2 : 0) | (hasTimer ? 4 : 0);
        b.putLong(timeMs).putShort((short) attempts).put((byte) flags);
        b.putLong(etaMs).putLong(deadlineMs).putInt(scans);
        for (int i = 0; i < kept; i++) b.putLong(fingerprints[i]);
        return java.util.Arrays.copyOf(b.array(), b.position());
    }

    public static Parcel fromBytes(byte[] data) {
        ByteBuffer b = ByteBuffer.wrap(data);
        Parcel p = new Parcel();
        p.code = text(b);
        p.facility = text(b);
        p.next = text(b);
        p.timeMs = b.getLong();
        p.attempts = b.getShort();
        int flags = b.get();
        p.returning = (flags & 1) != 0;
        p.ended = (flags & 2) != 0;
        p.hasTimer = (flags & 4) != 0;
        p.etaMs = b.getLong();
        p.deadlineMs = b.getLong();
        p.scans = b.getInt();
        for (int i = 0; b.hasRemaining(); i++) p.fingerprints[i] = b.getLong();
        return p;
    }

    private static byte[] bytes(String text) { return text.getBytes(StandardCharsets.ISO_8859_1); }

    private static void put(ByteBuffer b, byte[] text) { b.put((byte) text.length).put(text); }

    private static String text(ByteBuffer b) {
        int length = b.get();
        String s = new String(b.array(), b.position(), length, StandardCharsets.ISO_8859_1);
        b.position(b.position() + length);
        return s;
    }
}
