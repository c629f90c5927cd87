import io.siddhi.core.SiddhiAppRuntime;
import io.siddhi.core.SiddhiManager;
import io.siddhi.core.event.Event;
import io.siddhi.core.stream.input.InputHandler;
import io.siddhi.core.stream.output.StreamCallback;
import java.util.List;

/**
 * Siddhi 5.1, embedded. Siddhi Streaming SQL Guide: "output first every" of a group (Output Rate Limiting) lets the first event
 * of a host and alert through and those of the rest of 300 s not; a time window, having and the same of 60 s make one row a
 * host and minute of five of them. With playback (Siddhi as a Java library, event playback) time is that of the events. No
 * {@code @async}: the thread that sends does the work, which costs least CPU.
 */
final class HostFive implements Rounds.Engine {
    private static final String APP =
            "@app:name('HostFive') @app:playback\n"
            + "define stream Alert(host string, alert string);\n"
            + "from Alert select host, alert group by host, alert output first every 300 sec insert into Fresh;\n"
            + "from Fresh#window.time(60 sec) select host, count() as alerts group by host having alerts >= 5\n"
            + "output first every 60 sec insert into Five;";

    private final SiddhiManager manager = new SiddhiManager();
    private final SiddhiAppRuntime runtime = manager.createSiddhiAppRuntime(APP);
    private final InputHandler alerts = runtime.getInputHandler("Alert");

    private HostFive(List<String> found) {
        runtime.addCallback("Five", new StreamCallback() {
            @Override
            public void receive(Event[] events) {
                for (var event : events) {
                    found.add((String) event.getData(0));
                }
            }
        });
        runtime.start();
    }

    @Override
    public void take(long ms, String host, String alert) throws InterruptedException {
        alerts.send(ms, new Object[] {host, alert});
    }

    @Override
    public void end() {
        runtime.shutdown();
        manager.shutdown();
    }

    public static void main(String[] arguments) throws Exception {
        Rounds.serve(arguments, HostFive::new);
    }
}
