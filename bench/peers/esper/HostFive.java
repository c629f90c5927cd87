import com.espertech.esper.common.client.EPCompiled;
import com.espertech.esper.common.client.configuration.Configuration;
import com.espertech.esper.compiler.client.CompilerArguments;
import com.espertech.esper.compiler.client.EPCompilerProvider;
import com.espertech.esper.runtime.client.EPEventService;
import com.espertech.esper.runtime.client.EPRuntime;
import com.espertech.esper.runtime.client.EPRuntimeProvider;
import java.util.List;

/**
 * Esper 9, embedded. Reference documentation: every-distinct with an expiry (chapter EPL Patterns) lets the first event of a
 * host and alert through and those of the next 300 s not; a time window, having and "output first every" (chapter EPL Clauses,
 * Output Rate Limiting) make one row a host and minute of five of them.
 *
 * As chapters Performance and Configuration advise for one thread and time out of events: object arrays, the timer is external
 * and moved by each event's time, no locks, no metrics.
 */
final class HostFive implements Rounds.Engine {
    private static final String MODULE =
            "@public @buseventtype create objectarray schema Alert(host string, alert string);\n"
            + "insert into Fresh select a.host as host from pattern [every-distinct(a.host, a.alert, 300 seconds) a=Alert];\n"
            + "@name('five') select host from Fresh#time(60 seconds) group by host having count(*) >= 5\n"
            + "output first every 60 seconds;";

    private static EPCompiled compiled;
    private static int rounds;

    private final EPRuntime runtime;
    private final EPEventService events;
    private long now;

    private HostFive(Configuration configuration, List<String> found) {
        runtime = EPRuntimeProvider.getRuntime("round-" + rounds++, configuration);
        runtime.initialize();
        events = runtime.getEventService();
        events.advanceTime(0);
        try {
            var deployed = runtime.getDeploymentService().deploy(compiled);
            runtime.getDeploymentService().getStatement(deployed.getDeploymentId(), "five").addListener((in, out, statement, from) -> {
                for (var row : in) {
                    found.add((String) row.get("host"));
                }
            });
        } catch (Exception refused) {
            throw new IllegalStateException(refused);
        }
    }

    @Override
    public void take(long ms, String host, String alert) {
        if (ms != now) {
            events.advanceTime(now = ms);
        }
        events.sendEventObjectArray(new Object[] {host, alert}, "Alert");
    }

    @Override
    public void end() {
        runtime.destroy();
    }

    public static void main(String[] arguments) throws Exception {
        var configuration = new Configuration();
        configuration.getRuntime().getThreading().setInternalTimerEnabled(false);
        configuration.getRuntime().getExecution().setDisableLocking(true);
        compiled = EPCompilerProvider.getCompiler().compile(MODULE, new CompilerArguments(configuration));
        Rounds.serve(arguments, found -> new HostFive(configuration, found));
    }
}
