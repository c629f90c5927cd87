import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.RichFilterFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.cep.CEP;
import org.apache.flink.cep.functions.PatternProcessFunction;
import org.apache.flink.cep.nfa.aftermatch.AfterMatchSkipStrategy;
import org.apache.flink.cep.pattern.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.SinkFunction;
import org.apache.flink.streaming.api.functions.source.SourceFunction;
import org.apache.flink.util.Collector;

/**
 * Flink CEP 1.20 in a cluster inside the process (MiniCluster), which stays up between rounds; a round is a job from its
 * submission to its end. Documentation, Working with State: a filter with keyed state lets the first event of a host and alert
 * through and those of the next 300 s not; FlinkCEP: a pattern of five of a host within 60 s, and after a match what came up to
 * it is skipped; the same filter makes one of it a host and minute. Event time, watermarks by rising times. As Execution
 * Configuration and Network Memory Tuning advise for one place: objects reused, parallelism one, no checkpoints.
 */
final class HostFive {
    /** By number of a round: a job's functions are copies, and find the round's list by it. */
    private static final Map<Integer, List<String>> FOUND = new ConcurrentHashMap<>();

    private static int rounds;

    private HostFive() {}

    /** Time, host, alert, with the time as timestamp. */
    private static final class Lines implements SourceFunction<Tuple3<Long, String, String>> {
        private final String path;

        Lines(String path) {
            this.path = path;
        }

        @Override
        public void run(SourceContext<Tuple3<Long, String, String>> to) throws Exception {
            Rounds.read(path, (ms, host, alert) -> to.collectWithTimestamp(Tuple3.of(ms, host, alert), ms));
        }

        @Override
        public void cancel() {}
    }

    /** The first of a key, and then none for a while. */
    private static final class OnceIn extends RichFilterFunction<Tuple3<Long, String, String>> {
        private final long ms;
        private transient ValueState<Long> last;

        OnceIn(Duration time) {
            ms = time.toMillis();
        }

        @Override
        public void open(Configuration configuration) {
            last = getRuntimeContext().getState(new ValueStateDescriptor<>("last", Types.LONG));
        }

        @Override
        public boolean filter(Tuple3<Long, String, String> event) throws Exception {
            Long before = last.value();
            if (before != null && event.f0 - before < ms) {
                return false;
            }
            last.update(event.f0);
            return true;
        }
    }

    private static final class Last extends PatternProcessFunction<Tuple3<Long, String, String>, Tuple3<Long, String, String>> {
        @Override
        public void processMatch(Map<String, List<Tuple3<Long, String, String>>> match, Context context,
                Collector<Tuple3<Long, String, String>> out) {
            out.collect(match.get("five").get(4));
        }
    }

    private static final class Told implements SinkFunction<Tuple3<Long, String, String>> {
        private final int round;

        Told(int round) {
            this.round = round;
        }

        @Override
        public void invoke(Tuple3<Long, String, String> event, Context context) {
            FOUND.get(round).add(event.f1);
        }
    }

    private static void run(MiniCluster cluster, String list, List<String> found) throws Exception {
        var environment = StreamExecutionEnvironment.createLocalEnvironment(1);
        environment.getConfig().enableObjectReuse();
        TypeInformation<Tuple3<Long, String, String>> type = Types.TUPLE(Types.LONG, Types.STRING, Types.STRING);
        int round = rounds++;
        FOUND.put(round, found);
        var fresh = environment.addSource(new Lines(list), type)
                .assignTimestampsAndWatermarks(WatermarkStrategy
                        .<Tuple3<Long, String, String>>forMonotonousTimestamps()
                        .withTimestampAssigner((event, before) -> event.f0))
                .keyBy(event -> event.f1 + ' ' + event.f2, Types.STRING)
                .filter(new OnceIn(Duration.ofSeconds(300)));
        var five = Pattern.<Tuple3<Long, String, String>>begin("five", AfterMatchSkipStrategy.skipPastLastEvent())
                .times(5)
                .within(Duration.ofSeconds(60));
        CEP.pattern(fresh.keyBy(event -> event.f1, Types.STRING), five)
                .process(new Last(), type)
                .keyBy(event -> event.f1, Types.STRING)
                .filter(new OnceIn(Duration.ofSeconds(60)))
                .addSink(new Told(round));
        cluster.executeJobBlocking(environment.getStreamGraph().getJobGraph());
        FOUND.remove(round);
    }

    public static void main(String[] arguments) throws Exception {
        var cluster = new MiniCluster(new MiniClusterConfiguration.Builder()
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(1)
                .withRandomPorts()
                .build());
        cluster.start();
        Rounds.serveJob(arguments, (list, found) -> run(cluster, list, found));
        System.exit(0); // the cluster's threads would stay
    }
}
