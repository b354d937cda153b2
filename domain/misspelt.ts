type Env = Readonly<Record<string, string | undefined>>;

/** Variables of other programs that are called almost like ours. */
const OTHERS = new RegExp(
  "^(?:XDG_|OTEL_|npm_|TEMPORAL_CLI_|TEMPORAL_TLS_.*_DATA$)" +
    "|_PROXY$|_SERVICE_(?:HOST|PORT)|_PORT_\\d+_(?:TCP|UDP)|^(?:CCACHE_DIR|APP_URL|INSTANCE_IP)$",
  "i",
);
/** The value of a variable that Kubernetes sets for a service. */
const SERVICE_LINK = /^(?:tcp|udp):\/\//;
const SHORT = 6;

/**
 * Returns one sentence for each variable that is written almost as one of the `known` ones; names only, never values.
 */
export function misspeltVariables(env: Env, known: readonly string[]): string[] {
  return Object.entries(env).flatMap(([name, value]) => {
    const meant = value ? meantBy(name, value, known) : undefined;
    return meant === undefined
      ? []
      : [`${name} is not a setting and has no effect; is ${meant} meant?`];
  });
}

function meantBy(
  name: string,
  value: string,
  known: readonly string[],
): string | undefined {
  if (known.includes(name) || OTHERS.test(name) || SERVICE_LINK.test(value))
    return undefined;
  return known.find((one) => isSlip(plain(name), plain(one)));
}

const plain = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, "");

/**
 * Whether a name is written as another with one slip: a letter too many, lacking, wrong, or two exchanged. In a short
 * name, where one letter makes another word, only a doubled letter or an exchange counts.
 */
function isSlip(name: string, known: string): boolean {
  if (name === known) return true;
  let start = 0;
  while (start < name.length && name[start] === known[start]) start += 1;
  let end = 0;
  const most = Math.min(name.length, known.length) - start;
  while (end < most && name.at(-1 - end) === known.at(-1 - end)) end += 1;
  const [given, right] = [name, known].map((one) => one.slice(start, one.length - end));
  if (given === undefined || right === undefined) return false;
  if (given.length === 2 && right.length === 2)
    return given[0] === right[1] && given[1] === right[0];
  if (known.length < SHORT)
    return right === "" && given.length === 1 && given === name[start - 1];
  return given.length <= 1 && right.length <= 1;
}
