import type { Dialect } from './dialect.js';

/** A row without the spaces and tabs before opening quotes, which the parser would take as part of the value. */
export function unpadded(row: string, { delimiter, quote, escape }: Dialect): string {
  if (quote < 0) return row;
  const quoteChar = String.fromCharCode(quote);
  const delimiterChar = String.fromCharCode(delimiter);
  let result = '';
  for (let at = 0; ;) {
    let from = at;
    while (row[from] === ' ' || row[from] === '\t') from++;
    const isQuoted = row[from] === quoteChar;
    const end = row.indexOf(delimiterChar, isQuoted ? afterQuotes(row, from + 1, quote, escape) : at);
    result += row.slice(isQuoted ? from : at, end < 0 ? row.length : end + 1);
    if (end < 0) return result;
    at = end + 1;
  }
}

/** The offset after the closing quote of a value that starts at `from`. */
function afterQuotes(row: string, from: number, quote: number, escape: number): number {
  for (let at = from; at < row.length; at++) {
    if (row.charCodeAt(at) !== quote) continue;
    if (escape === quote && row.charCodeAt(at + 1) === quote) at++;
    else if (escape === quote || row.charCodeAt(at - 1) !== escape) return at + 1;
  }
  return row.length;
}
