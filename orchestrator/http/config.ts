/** The node's settings in Bacalhau's keys, for `agent config`; Skerry's own are beside them. */

/** What of the node's settings has a key of Bacalhau's. */
export interface NodeConfig {
  readonly listen: { readonly host: string; readonly port: number };
  readonly dataDir: string;
  readonly allowPaths: readonly { readonly path: string; readonly isWritable: boolean }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly logLevel: string;
  /** Every setting of Skerry's by its key, as text. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Secrets are masked by the route that shows it. */
export function formatConfig(config: NodeConfig): Record<string, unknown> {
  return {
    API: { Host: config.listen.host, Port: config.listen.port },
    DataDir: config.dataDir,
    Labels: config.labels,
    Logging: { Level: config.logLevel },
    Orchestrator: { Enabled: true },
    Compute: {
      Enabled: true,
      AllowListedLocalPaths: config.allowPaths.map(({ path, isWritable }) =>
        `${path}:${isWritable ? "rw" : "ro"}`
      ),
    },
    Skerry: config.settings,
  };
}
