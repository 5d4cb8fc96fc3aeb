/** Moves the cursor, turns text around, or cannot be seen. Two joiners are letters' own in some scripts, and make emoji. */
export const unprintable = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A string from wherever, fit for a message, a log or a terminal: a character that is not is written as an escape. */
export function printable(text: string): string {
  return text.replace(unprintable, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}
