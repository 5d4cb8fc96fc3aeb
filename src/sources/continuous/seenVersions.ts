/**
 * Versions of objects that were read, as digests: 72 bits of a key's SHA-256 and 48 bits of its ETag's. Among a million
 * versions, a new key is taken for a known one with a probability of 2⁻⁵².
 *
 * A version takes 20 characters when encoded. They are grouped by the minute of the object's date, so that a checkpoint
 * encodes only the minutes that have changed, and the end of a minute drops its group.
 */
import { hash } from 'node:crypto';
import type { Json } from '../../flow/index.js';
import { isRecord } from '../../shape.js';

const keyLength = 12;
const etagLength = 8;
const entryLength = keyLength + etagLength;

interface Seen {
  etag: string;
  minute: number;
  /** The version that it has replaced, if that is known. */
  former?: string;
  /** Whether another version of its key was found. Not encoded. */
  changed?: true;
}

export class SeenVersions {
  readonly #byKey = new Map<string, Seen>();
  readonly #encoded = new Map<number, string>();
  /** Minutes whose encoding is out of date. */
  readonly #changed = new Set<number>();

  /** @param encoded a result of `encoded` */
  constructor(encoded: Json = {}) {
    for (const [name, entries] of Object.entries(encoded as Readonly<Record<string, string>>)) {
      const minute = Number(name);
      for (let at = 0; at < entries.length; at += entryLength)
        this.#byKey.set(entries.slice(at, at + keyLength), {
          etag: entries.slice(at + keyLength, at + entryLength),
          minute,
        });
      this.#encoded.set(minute, entries);
    }
  }

  /** The number of keys. */
  get size(): number {
    return this.#byKey.size;
  }

  /** Adds a version. It replaces another one of its key. */
  add({ key, etag }: Named, minute: number): void {
    const name = digest(key, keyLength);
    const known = this.#byKey.get(name);
    if (known !== undefined) this.#changed.add(known.minute);
    this.#changed.add(minute);
    this.#byKey.set(name, {
      etag: digest(etag, etagLength),
      minute: Math.max(minute, known?.minute ?? minute),
      ...(known === undefined ? {} : { former: known.etag }),
    });
  }

  /** Removes a version. The one that it has replaced takes its place. */
  remove({ key, etag }: Named): void {
    const name = digest(key, keyLength);
    const known = this.#byKey.get(name);
    if (known?.etag !== digest(etag, etagLength)) return;
    this.#changed.add(known.minute);
    if (known.former === undefined) this.#byKey.delete(name);
    else this.#byKey.set(name, { etag: known.former, minute: known.minute });
  }

  /** Compares a version with the seen one of its key, which is kept for as long as this one. */
  look({ key, etag }: Named, minute: number): 'new' | 'same' | 'other' {
    const known = this.#byKey.get(digest(key, keyLength));
    if (known === undefined) return 'new';
    if (known.minute < minute) {
      this.#changed.add(known.minute).add(minute);
      known.minute = minute;
    }
    return known.etag === digest(etag, etagLength) ? 'same' : 'other';
  }

  /** Whether this is the first call for the key of a seen version. */
  firstOther({ key }: Named): boolean {
    const known = this.#byKey.get(digest(key, keyLength));
    if (known === undefined || known.changed === true) return false;
    known.changed = true;
    return true;
  }

  /** Drops what is dated before a minute. */
  drop(before: number): void {
    for (const [key, { minute }] of this.#byKey) if (minute < before) this.#byKey.delete(key);
    for (const minute of this.#encoded.keys()) if (minute < before) this.#encoded.delete(minute);
    for (const minute of this.#changed) if (minute < before) this.#changed.delete(minute);
  }

  /** Groups of digests by minute, as JSON. */
  encoded(): Json {
    if (this.#changed.size > 0) {
      const groups = new Map<number, string[]>();
      for (const [key, { etag, minute }] of this.#byKey) {
        if (!this.#changed.has(minute)) continue;
        const group = groups.get(minute);
        if (group === undefined) groups.set(minute, [key, etag]);
        else group.push(key, etag);
      }
      for (const minute of this.#changed) {
        const group = groups.get(minute);
        if (group === undefined) this.#encoded.delete(minute);
        else this.#encoded.set(minute, group.join(''));
      }
      this.#changed.clear();
    }
    return Object.fromEntries(this.#encoded);
  }
}

interface Named {
  readonly key: string;
  readonly etag: string;
}

/** Whether a value may be a result of `SeenVersions.encoded`. */
export function isEncodedVersions(value: unknown): boolean {
  return (
    isRecord(value) &&
    Object.entries(value).every(
      ([minute, entries]) =>
        /^-?\d{1,15}$/.test(minute) &&
        typeof entries === 'string' &&
        entries.length % entryLength === 0 &&
        /^[\w-]*$/.test(entries),
    )
  );
}

const digest = (name: string, length: number): string => hash('sha256', name, 'base64url').slice(0, length);
