const quote = 0x22;
const escape = 0x5c;

/** Whether a JSON text nests arrays and objects deeper than `most`. */
export function isDeeper(text: string, most: number): boolean {
  // Each level takes at least two characters.
  if (text.length < 2 * (most + 1)) return false;
  let brackets = 0;
  for (let at = 0; at < text.length; at++) if (isOpening(text.charCodeAt(at))) brackets++;
  return brackets > most && depthOf(text) > most;
}

const isOpening = (char: number): boolean => (char | 0x20) === 0x7b;
const isClosing = (char: number): boolean => (char | 0x20) === 0x7d;

/** The maximum nesting depth. Brackets in strings do not count. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === quote) at = stringEnd(text, at);
    else if (isOpening(char)) deepest = Math.max(deepest, ++depth);
    else if (isClosing(char)) depth--;
  }
  return deepest;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length && text.charCodeAt(at) !== quote; at++) if (text.charCodeAt(at) === escape) at++;
  return at;
}
