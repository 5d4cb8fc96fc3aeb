/** A key without its entropy marker, and the marker's position. */
export interface WithoutEntropy {
  /** The key without the marker. */
  readonly plain: string;
  /** The position of the marker, where entropy is inserted. Absent without a marker. UTF-16 units of `plain`. */
  readonly at?: number;
  /** The marker was a whole name, so entropy is inserted with a slash. */
  readonly name?: boolean;
}

/**
 * Removes the first occurrence of an entropy marker from a key, or from the part of a URI after its bucket: `a/_e_/b` becomes
 * `a/b`, and `x-_e_-y` becomes `x--y`.
 */
export function withoutEntropy(key: string, marker: string | undefined): WithoutEntropy {
  const found = marker === undefined || marker === '' ? -1 : key.indexOf(marker);
  if (marker === undefined || found < 0) return { plain: key };
  const before = key.slice(0, found);
  const after = key.slice(found + marker.length);
  const name = /(^|\/)$/.test(before) && /^(\/|$)/.test(after);
  return { plain: before + (name ? after.slice(1) : after), at: found, name };
}

/** The URI without the marker, which is only looked for after the bucket. */
export function plainUri(uri: string, marker: string | undefined): string {
  // In s3x:// URIs, the server precedes the bucket.
  const match = /^((?:s3x:\/\/[^/]*\/|(?!s3x:)[a-z][a-z0-9+.-]*:\/\/)[^/]*\/)([^]*)$/i.exec(uri);
  return match === null ? uri : (match[1] ?? '') + withoutEntropy(match[2] ?? '', marker).plain;
}
