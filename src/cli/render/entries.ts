import { parseUri } from '../../path/index.js';
import type { Entry, Stat } from '../../fs/operations/index.js';
import { date, iso, size } from './units.js';
import { fields, printable, readable } from './text.js';

export interface EntryStyle {
  /** Exact bytes. */
  readonly bytes: boolean;
  /** Storage class and ETag, too. */
  readonly long: boolean;
  /** Only the name. */
  readonly names: boolean;
  /** The decoded key of the directory that names are relative to. */
  readonly base: string;
}

/** One line of a listing: `  1.2 MiB  2026-11-20 14:03  a.csv`. */
export function entryLine(entry: Entry, style: EntryStyle): string {
  const name = printable(nameFrom(entry, style.base));
  if (style.names) return name;
  const isObject = entry.kind === 'object';
  const amount = isObject ? (style.bytes ? String(entry.size) : size(entry.size)) : '';
  const columns = [amount.padStart(style.bytes ? 15 : 9), date(entry.modified).padEnd(16)];
  if (style.long) columns.push((entry.storageClass ?? '').padEnd(11), (entry.etag ?? '').padEnd(35));
  return `${columns.join('  ')}  ${name}`;
}

/** An entry as JSON. */
export function entryRecord(entry: Stat): object {
  const { uri, name, kind, size: bytes, modified, etag, storageClass, metadata, content } = entry;
  return { uri, name, kind, size: bytes, modified: iso(modified), etag, storageClass, metadata, content };
}

/** All properties of an entry, one per line. */
export function statLines(entry: Stat): string[] {
  const { uri, kind, size: bytes, modified, etag, storageClass, metadata = {}, content = {} } = entry;
  const isObject = kind === 'object';
  return fields([
    ['URI', readable(uri)],
    ['Kind', kind],
    ['Size', isObject ? (bytes < 1024 ? size(bytes) : `${size(bytes)} (${bytes} bytes)`) : undefined],
    ['Modified', date(modified)],
    ['ETag', etag],
    ['Storage class', storageClass],
    ['Content type', content.type],
    ['Content encoding', content.encoding],
    ['Content language', content.language],
    ['Content disposition', content.disposition],
    ['Cache control', content.cacheControl],
    ...Object.entries(metadata).map(([name, value]) => [`Metadata ${name}`, value] as const),
  ]).map(printable);
}

function nameFrom({ uri, name }: Entry, base: string): string {
  const { key } = parseUri(uri);
  return key.startsWith(base) && key.length > base.length ? key.slice(base.length) : name === '' ? key : name;
}
