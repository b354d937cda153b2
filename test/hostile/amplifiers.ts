/** Bodies of JSON that are small or cheap to send and become large in memory, or never end. */

const MIB = 1024 * 1024;
const PIECE = 64 * 1024;

function* repeated(text: string, bytes: number): Generator<Buffer> {
  const piece = Buffer.from(text.repeat(Math.ceil(PIECE / text.length)));
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}

function* numberedKeys(bytes: number): Generator<Buffer> {
  for (let sent = 0, at = 0; sent < bytes;) {
    let piece = "";
    for (; piece.length < PIECE; at += 1) piece += `"key${at}":1,`;
    sent += piece.length;
    yield Buffer.from(piece);
  }
}

export type Amplifier = {
  what: string;
  /** The body, whose hostile part is the value of `field`; `bytes`: about how long it is if it is read to its end. */
  body: (field: string, bytes?: number) => Iterable<Buffer>;
};

const around = (
  opening: string,
  closing: string,
  inside: (bytes: number) => Iterable<Buffer>,
): Amplifier["body"] =>
  function* (field, bytes = 64 * MIB) {
    yield Buffer.from(`{"${field}":${opening}`);
    yield* inside(bytes);
    yield Buffer.from(`${closing}}`);
  };

export const AMPLIFIERS: Amplifier[] = [
  {
    what: "empty objects in a list",
    body: around("[", "{}]", (bytes) => repeated("{},", bytes)),
  },
  {
    what: "empty lists in a list",
    body: around("[", "[]]", (bytes) => repeated("[],", bytes)),
  },
  {
    what: "short texts in a list",
    body: around("[", '"z"]', (bytes) => repeated('"ab",', bytes)),
  },
  { what: "an object with many fields", body: around("{", '"z":1}', numberedKeys) },
  {
    what: "lists in lists",
    body: around("", "", (bytes) => repeated("[", bytes)),
  },
  {
    what: "objects in objects",
    body: around("", "", (bytes) => repeated('{"a":', bytes)),
  },
  {
    what: "a long name and then colons",
    body: around(`{"${"k".repeat(4_000)}"`, "1}", (bytes) => repeated(":", bytes)),
  },
  {
    what: "names without values",
    body: around("{", '"z":1}', (bytes) => repeated('"":,', bytes)),
  },
  { what: "one endless text", body: around('"', '"', (bytes) => repeated("x", bytes)) },
  { what: "endless blanks", body: around("", "1", (bytes) => repeated(" ", bytes)) },
];
