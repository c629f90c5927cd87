import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;

/**
 * The job on the JVM: for each line on standard input one round over the list, and one line of what it took: CPU of the
 * whole process (compiling and collecting garbage included) and time, in nanoseconds. The clock runs from the first line
 * read to the last event handed over; an engine is set up before it, and what a round answered is written behind it.
 */
final class Rounds {
    /** An engine that was set up and knows nothing yet. */
    interface Engine {
        void take(long ms, String host, String alert) throws Exception;

        default void end() throws Exception {}
    }

    /** What goes through the list by itself. */
    interface Job {
        /** Reads the list, best with {@link #read}, and adds what it finds. */
        void run(String list, List<String> found) throws Exception;
    }

    private Rounds() {}

    /** Arguments: the list, the file for the answer. Makes an engine per round, which adds what it finds to the list that it gets. */
    static void serve(String[] arguments, Function<List<String>, Engine> engines) throws Exception {
        for (var asked = asked(); asked.readLine() != null; ) {
            List<String> found = new ArrayList<>();
            Engine engine = engines.apply(found);
            clock(arguments, found, () -> read(arguments[0], engine));
            engine.end();
        }
    }

    /** The same of a job, with all that it does in the clock. */
    static void serveJob(String[] arguments, Job job) throws Exception {
        for (var asked = asked(); asked.readLine() != null; ) {
            List<String> found = Collections.synchronizedList(new ArrayList<>());
            clock(arguments, found, () -> job.run(arguments[0], found));
        }
    }

    private static BufferedReader asked() {
        return new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void clock(String[] arguments, List<String> found, Work work) throws Exception {
        var process = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        System.gc(); // of the round before
        long cpu = process.getProcessCpuTime();
        long began = System.nanoTime();
        work.run();
        long took = System.nanoTime() - began;
        cpu = process.getProcessCpuTime() - cpu;
        try (var answer = new PrintWriter(arguments[1], StandardCharsets.UTF_8)) {
            found.forEach(answer::println);
        }
        System.out.println(cpu + " " + took);
    }

    /** By position, as no parser of pairs would: what an engine takes is to show, not what a parser does. */
    static void read(String path, Engine engine) throws Exception {
        try (var lines = new BufferedReader(
                new InputStreamReader(new FileInputStream(path), StandardCharsets.ISO_8859_1), 1 << 16)) {
            for (String line; (line = lines.readLine()) != null; ) {
                int host = line.indexOf("host=") + 5;
                int hostEnd = line.indexOf(' ', host);
                int alert = hostEnd + " alert=".length();
                engine.take(millisecond(line), line.substring(host, hostEnd), line.substring(alert, line.indexOf(' ', alert)));
            }
        } catch (IOException failed) {
            System.err.println(failed);
            System.exit(1);
        }
    }

    private static final long DAY_MS = 1_769_904_000_000L; // 2026-02-01, the day of all lists

    private static long millisecond(String line) {
        return DAY_MS + ((digits(line, 11, 2) * 60 + digits(line, 14, 2)) * 60 + digits(line, 17, 2)) * 1000L + digits(line, 20, 3);
    }

    private static int digits(String line, int at, int count) {
        int number = 0;
        for (int i = at; i < at + count; i++) {
            number = number * 10 + line.charAt(i) - '0';
        }
        return number;
    }
}
