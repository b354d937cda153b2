const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?:[:/]|$)/i;

/**
 * Parses a URL as users write it: without a scheme it is https, but http for loopback. Returns null when
 * the text cannot be parsed.
 */
export function readUrl(text: string): URL | null {
  const trimmed = text.trim();
  const scheme = LOOPBACK.test(trimmed) ? "http" : "https";
  const whole = SCHEME.test(trimmed) ? trimmed : `${scheme}://${trimmed}`;
  return URL.canParse(whole) ? new URL(whole) : null;
}

export const isHttp = ({ protocol }: URL): boolean =>
  protocol === "http:" || protocol === "https:";

export const hasCredentials = ({ username, password }: URL): boolean =>
  username !== "" || password !== "";

export const hasQuery = ({ search, hash }: URL): boolean => search !== "" || hash !== "";

/** Whether a URL leads to the machine itself: `localhost`, a name below it, or a loopback address. */
export const isLoopback = ({ hostname }: URL): boolean =>
  LOOPBACK.test(hostname) || hostname.endsWith(".localhost");
