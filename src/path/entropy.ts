/** A text with the place that an entropy marker had in it. */
export interface WithoutEntropy {
  /** The text without the marker: what people look up. */
  readonly plain: string;
  /** Where the marker was: entropy goes in here. Absent if it was not there. UTF-16 units of `plain`. */
  readonly at?: number;
  /** The marker was a whole name, so entropy brings its slash with it. */
  readonly name?: boolean;
}

/**
 * Takes the first occurrence of an entropy marker out of a key or of what comes after a URI's bucket: `a/_e_/b` is
 * `a/b`, and `x-_e_-y` is `x--y`.
 */
export function withoutEntropy(key: string, marker: string | undefined): WithoutEntropy {
  const found = marker === undefined || marker === '' ? -1 : key.indexOf(marker);
  if (marker === undefined || found < 0) return { plain: key };
  const before = key.slice(0, found);
  const after = key.slice(found + marker.length);
  const name = /(^|\/)$/.test(before) && /^(\/|$)/.test(after);
  return { plain: before + (name ? after.slice(1) : after), at: found, name };
}

/** The URI without the marker, which is looked for behind the bucket only. */
export function plainUri(uri: string, marker: string | undefined): string {
  // The server of s3x:// stands before the bucket.
  const match = /^((?:s3x:\/\/[^/]*\/|(?!s3x:)[a-z][a-z0-9+.-]*:\/\/)[^/]*\/)([^]*)$/i.exec(uri);
  return match === null ? uri : (match[1] ?? '') + withoutEntropy(match[2] ?? '', marker).plain;
}
