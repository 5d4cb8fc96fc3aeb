import { isIP } from 'node:net';
import { GatewayError } from './errors.js';

/** The resource of a request. */
export interface Target {
  /** Empty for the service itself. */
  readonly bucket: string;
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  /** In SigV4's canonical form. */
  readonly canonicalPath: string;
  readonly canonicalQuery: string;
}

/** Parses bucket, key and query: path style, or `<bucket>.<domain>` in the Host header. */
export function targetOf(url: string, host: string | undefined, domain: string): Target {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = parseQuery(mark < 0 ? '' : url.slice(mark + 1));
  const segments = path.split('/').map(decode);
  const virtual = bucketOfHost(host, domain);
  const [, first = '', ...rest] = segments;
  return {
    bucket: virtual ?? first,
    key: (virtual === undefined ? rest : segments.slice(1)).join('/'),
    query: new Map(query),
    canonicalPath: segments.map(escapeUri).join('/') || '/',
    canonicalQuery: query
      .map(([name, value]) => [escapeUri(name), escapeUri(value)] as const)
      .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
      .map(([name, value]) => `${name}=${value}`)
      .join('&'),
  };
}

function bucketOfHost(host: string | undefined, domain: string): string | undefined {
  const name = (host ?? '').replace(/:\d+$/, '');
  return isIP(name) === 0 && name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : undefined;
}

function parseQuery(text: string): (readonly [string, string])[] {
  if (text === '') return [];
  return text.split('&').map((pair) => {
    const eq = pair.indexOf('=');
    const [name, value] = eq < 0 ? [pair, ''] : [pair.slice(0, eq), pair.slice(eq + 1)];
    return [decode(name.replaceAll('+', ' ')), decode(value.replaceAll('+', ' '))];
  });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new GatewayError(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}

/** Percent-encodes all but the unreserved characters of RFC 3986. */
export function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
