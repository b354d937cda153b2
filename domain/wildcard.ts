/**
 * Whether `name` matches `pattern`, where `*` matches any number of any characters, and every other
 * character itself. Takes at most (length of pattern × length of name) steps.
 */
export function matchesWildcard(pattern: string, name: string): boolean {
  let at = 0;
  let star = -1;
  let retryFrom = 0;
  let i = 0;
  while (i < name.length) {
    if (pattern[at] === "*") {
      star = at++;
      retryFrom = i;
    } else if (pattern[at] === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++retryFrom;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
