/** Maximum length (bytes of UTF-8) of a summary; Temporal refuses commands whose summary has more than 400. */
const MOST_BYTES = 390;

/** Cuts a text such that Temporal takes it as the summary of an activity or timer. */
export function fitSummary(text: string): string {
  let bytes = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    if (bytes > MOST_BYTES) return text.slice(0, at);
  }
  return text;
}
