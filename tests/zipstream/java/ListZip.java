import java.io.BufferedInputStream;
import java.io.PrintStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * Reads a ZIP from standard input, from front to back, and prints a line for each entry:
 * CRC-32 in hex, length in bytes, name. The stream itself checks both against the bytes.
 */
class ListZip {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        ZipInputStream zip = new ZipInputStream(new BufferedInputStream(System.in, 1 << 20));
        byte[] buffer = new byte[1 << 20];
        ZipEntry entry;
        while ((entry = zip.getNextEntry()) != null) {
            long length = 0;
            for (int n; (n = zip.read(buffer)) >= 0; ) {
                length += n;
            }
            out.printf("%08x %d %s\n", entry.getCrc(), length, entry.getName());
        }
        out.flush();
    }
}
