/** A registry of images, as far as an engine pulls from it: its images are made of one static busybox, for any platform. */
import { createHash } from "node:crypto";
import { busyboxLayer } from "./busybox_layer.ts";

interface Blob {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const LIST = "application/vnd.docker.distribution.manifest.list.v2+json";

/** Listens on loopback, where engines speak plain HTTP to registries. */
export class ImageRegistry implements AsyncDisposable {
  readonly #blobs = new Map<string, Blob>();
  /** `repository:tag` → digest of a manifest. */
  readonly #tags = new Map<string, string>();
  #server: Deno.HttpServer<Deno.NetAddr>;
  /** `USER:PASSWORD` that everybody must give; undefined: nobody need. */
  credentials: string | undefined;
  readonly port: number;
  /** Manifests that were asked for, in order. */
  readonly asked: string[] = [];

  constructor() {
    this.#server = this.#listen(0);
    this.port = this.#server.addr.port;
  }

  /** `127.0.0.1:PORT/NAME` */
  nameOf(image: string): string {
    return `127.0.0.1:${this.port}/${image}`;
  }

  /** Puts an image under `NAME:TAG`, in place of an earlier one; answers its digest. `mark` makes images differ. */
  async push(
    image: string,
    { platforms, mark = "", config = {} }: { platforms: readonly string[]; mark?: string; config?: object },
  ): Promise<string> {
    const manifests = await Promise.all(platforms.map((platform) => this.#manifest(platform, mark, config)));
    const [only] = manifests;
    const digest = manifests.length === 1 ? only!.digest : this.#putJson(LIST, {
      schemaVersion: 2,
      mediaType: LIST,
      manifests: manifests.map(({ digest, size, os, architecture }) => ({
        ...{ mediaType: MANIFEST, digest, size },
        platform: { os, architecture },
      })),
    }).digest;
    this.#tags.set(image, digest);
    return digest;
  }

  async #manifest(platform: string, mark: string, config: object) {
    const [os = "", architecture = ""] = platform.split("/");
    const { tar, gzip } = await busyboxLayer();
    const layer = this.#put("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip);
    const described = this.#putJson("application/vnd.docker.container.image.v1+json", {
      ...{ os, architecture },
      config: { Env: ["PATH=/bin"], Labels: { mark }, ...config },
      rootfs: { type: "layers", diff_ids: [sha256(tar)] },
      history: [],
    });
    const manifest = this.#putJson(MANIFEST, {
      ...{ schemaVersion: 2, mediaType: MANIFEST, config: described, layers: [layer] },
    });
    return { ...manifest, os, architecture };
  }

  #putJson(type: string, value: object) {
    return this.#put(type, new TextEncoder().encode(JSON.stringify(value)));
  }

  #put(type: string, bytes: Uint8Array<ArrayBuffer>) {
    const digest = sha256(bytes);
    this.#blobs.set(digest, { type, bytes });
    return { mediaType: type, digest, size: bytes.length };
  }

  #listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    return Deno.serve({ hostname: "127.0.0.1", port, onListen() {} }, (request) => this.#answer(request));
  }

  #answer(request: Request): Response {
    const { url, method } = request;
    const { pathname } = new URL(url);
    if (
      this.credentials !== undefined &&
      request.headers.get("authorization") !== `Basic ${btoa(this.credentials)}`
    ) {
      const errors = [{ code: "UNAUTHORIZED", message: "authentication required" }];
      return Response.json({ errors }, {
        status: 401,
        headers: { "www-authenticate": 'Basic realm="tests"' },
      });
    }
    if (pathname === "/v2/") return Response.json({});
    const [, repository = "", kind, reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(pathname) ?? [];
    if (kind === "manifests") this.asked.push(`${repository}:${reference}`);
    const digest = this.#tags.get(`${repository}:${reference}`) ?? reference;
    const blob = this.#blobs.get(digest);
    if (blob === undefined) {
      const code = kind === "manifests" ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN";
      return Response.json({ errors: [{ code, message: "unknown" }] }, { status: 404 });
    }
    const headers = {
      "content-type": blob.type,
      "docker-content-digest": digest,
      "content-length": String(blob.bytes.length),
    };
    return new Response(method === "HEAD" ? null : blob.bytes, { headers });
  }

  /** Nobody answers at its address any more. */
  async stop(): Promise<void> {
    await this.#server.shutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

const sha256 = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
