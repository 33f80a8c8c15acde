/* SPDX-License-Identifier: Apache-2.0 */
package peer;

import java.nio.file.*;
import java.util.*;
import org.opensearch.Version;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/** Embedded single OpenSearch node, loopback only. args: <home> [httpPort] [transportPort] */
public class PeerNode extends Node {
    @SuppressWarnings({"unchecked", "rawtypes"})
    PeerNode(Environment env, Collection plugins) { super(env, (Collection) plugins, true); }

    // {class, comma separated extended plugin classes}: Painless must come first, its extensions name it
    static final String[][] PLUGINS = {
        {"org.opensearch.transport.Netty4ModulePlugin", "org.opensearch.transport.Netty4Plugin"},
        {"org.opensearch.painless.PainlessModulePlugin", "org.opensearch.painless.PainlessPlugin"},
        {"org.opensearch.script.expression.ExpressionModulePlugin", "org.opensearch.script.expression.ExpressionPlugin"},
        {"org.opensearch.index.mapper.MapperExtrasModulePlugin", "org.opensearch.index.mapper.MapperExtrasPlugin"},
        {"org.opensearch.analysis.common.CommonAnalysisModulePlugin", "org.opensearch.analysis.common.CommonAnalysisPlugin"},
        {"org.opensearch.index.reindex.ReindexModulePlugin", "org.opensearch.index.reindex.ReindexPlugin"},
        {"org.opensearch.join.ParentJoinModulePlugin", "org.opensearch.join.ParentJoinPlugin"},
        {"org.opensearch.percolator.PercolatorModulePlugin", "org.opensearch.percolator.PercolatorPlugin"},
        {"org.opensearch.index.rankeval.RankEvalModulePlugin", "org.opensearch.index.rankeval.RankEvalPlugin"},
        {"org.opensearch.search.aggregations.matrix.MatrixAggregationModulePlugin", "org.opensearch.search.aggregations.matrix.MatrixAggregationPlugin"},
        {"org.opensearch.script.mustache.MustacheModulePlugin", "org.opensearch.script.mustache.MustachePlugin"},
        {"org.opensearch.ingest.common.IngestCommonModulePlugin", "org.opensearch.ingest.common.IngestCommonPlugin"},
    };
    /** Plugins whose SPI extensions must be handed to Painless (whitelists). */
    static final Set<String> EXTENDS_PAINLESS = Set.of(
        "org.opensearch.analysis.common.CommonAnalysisModulePlugin", "org.opensearch.analysis.common.CommonAnalysisPlugin",
        "org.opensearch.ingest.common.IngestCommonModulePlugin", "org.opensearch.ingest.common.IngestCommonPlugin");

    public static void main(String[] a) throws Exception {
        long t0 = System.nanoTime();
        Path home = Paths.get(a[0]).toAbsolutePath();
        Files.createDirectories(home.resolve("config")); Files.createDirectories(home.resolve("data")); Files.createDirectories(home.resolve("logs"));
        Settings.Builder b = Settings.builder()
            .put("cluster.name", "peer").put("node.name", "peer-1")
            .put("path.home", home.toString())
            .put("network.host", "127.0.0.1")
            .put("http.port", a.length > 1 ? a[1] : "9200").put("transport.port", a.length > 2 ? a[2] : "9300")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .putList("path.repo", home.resolve("repo").toString())
            .put("script.max_compilations_rate", "100000/1m");
        for (Map.Entry<Object, Object> e : System.getProperties().entrySet())        // -Des.<setting>=value
            if (e.getKey().toString().startsWith("es.")) b.put(e.getKey().toString().substring(3), e.getValue().toString());
        Environment env = new Environment(b.build(), home.resolve("config"));
        boolean v3 = Version.CURRENT.major >= 3;                 // 2.x takes classes, 3.x takes PluginInfo (same erasure)
        List<Object> plugins = new ArrayList<>();
        String painless = null;
        for (String[] names : PLUGINS) for (String n : names) {
            Class<?> c;
            try { c = Class.forName(n); } catch (ClassNotFoundException ex) { continue; }
            if (n.startsWith("org.opensearch.painless.")) painless = n;
            if (v3) plugins.add(new PluginInfo(n, "classpath plugin", "NA", Version.CURRENT,
                Integer.toString(Runtime.version().feature()), n, null,
                EXTENDS_PAINLESS.contains(n) ? List.of(painless) : List.of(), false));
            else plugins.add(c);
            break;
        }
        PeerNode node = new PeerNode(env, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> { try { node.close(); } catch (Exception e) { e.printStackTrace(); } }));
        node.start();
        System.out.println("PEER READY version=" + Version.CURRENT + " plugins=" + plugins.size() + " main_to_ready_ms=" + (System.nanoTime() - t0) / 1_000_000
            + " since_jvm_start_ms=" + (System.currentTimeMillis() - java.lang.management.ManagementFactory.getRuntimeMXBean().getStartTime()));
        Thread.currentThread().join();
    }
}
