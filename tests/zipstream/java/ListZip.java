import java.io.BufferedInputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.Enumeration;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

/**
 * Prints a line for each entry of a ZIP: CRC-32 in hex, length in bytes, name.
 *
 * Without arguments it reads the ZIP from standard input, from front to back, and the stream itself
 * checks what it prints against the bytes. With a path it goes by the central directory, and works
 * out both from the bytes, since ZipFile checks nothing.
 */
class ListZip {
    private static final byte[] BUFFER = new byte[1 << 20];

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        if (arguments.length == 0) {
            listStream(out);
        } else {
            listFile(out, arguments[0]);
        }
        out.flush();
    }

    private static void listStream(PrintStream out) throws Exception {
        ZipInputStream zip = new ZipInputStream(new BufferedInputStream(System.in, 1 << 20));
        ZipEntry entry;
        while ((entry = zip.getNextEntry()) != null) {
            long length = 0;
            for (int n; (n = zip.read(BUFFER)) >= 0; ) {
                length += n;
            }
            out.printf("%08x %d %s\n", entry.getCrc(), length, entry.getName());
        }
    }

    private static void listFile(PrintStream out, String path) throws Exception {
        try (ZipFile zip = new ZipFile(path)) {
            Enumeration<? extends ZipEntry> entries = zip.entries();
            while (entries.hasMoreElements()) {
                ZipEntry entry = entries.nextElement();
                InputStream content = zip.getInputStream(entry);
                CRC32 crc = new CRC32();
                long length = 0;
                for (int n; (n = content.read(BUFFER)) >= 0; ) {
                    length += n;
                    crc.update(BUFFER, 0, n);
                }
                if (crc.getValue() != entry.getCrc() || length != entry.getSize()) {
                    throw new Exception("the directory says otherwise of " + entry.getName());
                }
                out.printf("%08x %d %s\n", entry.getCrc(), length, entry.getName());
            }
        }
    }
}
