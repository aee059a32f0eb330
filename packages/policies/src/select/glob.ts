/** Whether a pattern of `*` (anything), `?` (one character) and text fits the whole of a text, without regard to case. Time grows with the lengths' product at most. */
export function fitsGlob(pattern: string, text: string): boolean {
  const lowerPattern = pattern.toLowerCase();
  const lowerText = text.toLowerCase();
  if (!/[*?]/.test(lowerPattern)) return lowerPattern === lowerText;
  // What `?` stands for may be two units of a string; `*` does not care.
  const isByUnit = !lowerPattern.includes('?');
  const wanted = isByUnit ? lowerPattern : [...lowerPattern];
  const given = isByUnit ? lowerText : [...lowerText];
  let at = 0;
  let next = 0;
  /** Where to go on when what follows the last `*` does not fit here. */
  let star = -1;
  let retry = 0;
  while (next < given.length) {
    if (at < wanted.length && wanted[at] !== '*' && (wanted[at] === '?' || wanted[at] === given[next])) {
      at++;
      next++;
    } else if (wanted[at] === '*') {
      star = at++;
      retry = next;
    } else if (star >= 0) {
      at = star + 1;
      next = ++retry;
    } else {
      return false;
    }
  }
  while (wanted[at] === '*') at++;
  return at === wanted.length;
}
