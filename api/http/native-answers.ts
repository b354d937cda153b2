type Answers = Readonly<Partial<Record<number, string>>>;

const ANY = {
  400: "The address, a header or the body is invalid",
  401: "No credentials, or wrong ones",
  429: "Too many wrong logins from this address",
  503: "The service has no room for the request now; Retry-After says when to try again",
  500: "A fault of the service; look for the X-Trace-Id of the answer in its log",
} satisfies Answers;
const WRITING = {
  ...ANY,
  403: "A page of another site sent the request",
  507: "The disk is full",
} satisfies Answers;
const RECEIVING = {
  ...WRITING,
  408: "The body comes too slowly",
  413: "The body is too large",
} satisfies Answers;

/**
 * By method: the refusals that operations of native endpoints have in every protocol; each endpoint
 * documents its other refusals itself.
 */
export const REFUSED = {
  get: ANY,
  head: ANY,
  post: RECEIVING,
  put: RECEIVING,
  patch: RECEIVING,
  delete: WRITING,
} satisfies Record<string, Answers>;
export type NativeMethod = keyof typeof REFUSED;
