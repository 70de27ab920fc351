/** The files of the tests' images: one static busybox under all its names. */
import { gzipSync } from "node:zlib";

let layer:
  | Promise<{ readonly tar: Uint8Array<ArrayBuffer>; readonly gzip: Uint8Array<ArrayBuffer> }>
  | undefined;

/** A tar archive of a root file system, and the same compressed; made once. */
export function busyboxLayer() {
  return layer ??= busyboxTar().then((tar) => ({ tar, gzip: new Uint8Array(gzipSync(tar)) }));
}

async function busyboxTar(): Promise<Uint8Array<ArrayBuffer>> {
  const { packTar } = await import("modern-tar");
  const binary = await Deno.readFile("/bin/busybox");
  const { stdout } = await new Deno.Command("/bin/busybox", { args: ["--list"], stdout: "piped" }).output();
  const names = new TextDecoder().decode(stdout).split("\n").filter((name) =>
    name !== "" && name !== "busybox"
  );
  const folder = (name: string, mode: number) => ({
    header: { name, type: "directory" as const, size: 0, mode },
  });
  const file = (name: string, text: string) => ({
    header: { name, size: text.length, mode: 0o644 },
    body: text,
  });
  return await packTar([
    ...[folder("bin/", 0o755), folder("etc/", 0o755), folder("tmp/", 0o1777)],
    file("etc/passwd", "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"),
    { header: { name: "bin/busybox", size: binary.length, mode: 0o755 }, body: binary },
    ...names.map((name) => ({
      header: { name: `bin/${name}`, type: "symlink" as const, size: 0, linkname: "busybox" },
    })),
  ]) as Uint8Array<ArrayBuffer>;
}
