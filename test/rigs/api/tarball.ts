import { gzipSync } from "node:zlib";

const BLOCK = 512;

/** Builds an npm package as `npm pack` does: a gzipped tar of files below `package/`. `level`: compression, 0 to 9. */
export function npmTarball(
  files: Record<string, string | Buffer>,
  level?: number,
): Buffer {
  const entries = Object.entries(files).flatMap(([name, text]) => {
    const content = Buffer.from(text);
    return [
      header(`package/${name}`, content.length),
      content,
      Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
    ];
  });
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]), {
    ...(level !== undefined && { level }),
  });
}

/** Returns the tar header of a regular file (POSIX.1-1988, ustar). */
function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, length: number) =>
    `${value.toString(8).padStart(length - 1, "0")}\0`;
  block.write(name, 0);
  block.write(
    octal(0o644, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(0, 12),
    100,
  );
  block.write(`${" ".repeat(8)}0`, 148);
  block.write("ustar\u000000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
