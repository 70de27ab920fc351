/** What this build is. `deno task compile` fills in commit and date. */
export const VERSION = "0.1.0";
/** The Bacalhau release whose API and clients this version serves. */
export const BACALHAU_VERSION = "v1.9.3";
/** The commit that it was built from; `source` when it runs from a clone. */
export const COMMIT: string = "source";
/** When it was built, RFC 3339. */
export const BUILD_DATE: string = "1970-01-01T00:00:00Z";
