/** What this build is. `deno task compile` fills in commit and date. */
export const VERSION = "0.1.0";
/** The Bacalhau release whose API and clients this version serves. */
export const BACALHAU_VERSION = "v1.9.3";
