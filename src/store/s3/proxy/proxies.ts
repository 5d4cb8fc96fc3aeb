/**
 * Selects the proxy of a request: from the options, else from the environment. Requests to https servers are tunneled by
 * CONNECT (`tunnel.ts`); those to http servers are sent to the proxy with an absolute URL.
 */
import { MillraceError } from '../../../errors.js';
import type { Configured } from '../aws/settings.js';
import { isListed } from './noProxy.js';

/** A proxy. Its user and password appear only in the header. */
export interface Proxy {
  /** For error messages. */
  readonly name: string;
  readonly secure: boolean;
  readonly host: string;
  readonly port: number;
  /** The headers of requests to it. */
  readonly headers: () => Readonly<Record<string, string>>;
}

interface Asked {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
}

export interface ProxyOptions {
  readonly proxy?: string | undefined;
  readonly noProxy?: string | undefined;
}

/** Returns a function that selects the proxy of a request. It throws `InvalidS3Options`. */
export function proxiesOf(
  { proxy, noProxy }: ProxyOptions,
  variable: Variable,
): (asked: Asked) => Proxy | undefined {
  const known = new Map<string, Proxy>();
  return ({ protocol, hostname, port }) => {
    const scheme = protocol.replace(/:$/, '');
    const found = proxy === undefined ? ofEnvironment(scheme, variable) : { value: proxy, where: 'proxy' };
    if (found === undefined || found.value === 'none') return undefined;
    const except = noProxy ?? configured('no_proxy', variable)?.value ?? '';
    if (isListed(except, hostname, port ?? (scheme === 'https' ? 443 : 80))) return undefined;
    const made = known.get(found.value) ?? proxyOf(found);
    known.set(found.value, made);
    return made;
  };
}

type Variable = (name: string) => string | undefined;

function ofEnvironment(scheme: string, variable: Variable): Configured | undefined {
  const found = configured(`${scheme}_proxy`, variable);
  // In a CGI program, HTTP_PROXY is set by a request header.
  return found?.where === 'HTTP_PROXY' && variable('REQUEST_METHOD') !== undefined ? undefined : found;
}

/** Lower case takes precedence, as in other tools. */
function configured(name: string, variable: Variable): Configured | undefined {
  for (const where of [name, name.toUpperCase()]) {
    const value = variable(where);
    if (value !== undefined) return { value, where };
  }
  return undefined;
}

function proxyOf({ value, where }: Configured): Proxy {
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '')
    throw new MillraceError(
      'InvalidS3Options',
      `S3 options: ${where} must be the URL of an HTTP proxy, such as http://proxy.example.com:3128, or none. For another kind of proxy give an \`agent\` in code.`,
    );
  const secure = url.protocol === 'https:';
  const authorization = credentialsOf(url);
  const headers = authorization === undefined ? {} : { 'proxy-authorization': authorization };
  return {
    name: `${url.protocol}//${url.host} (${where})`,
    secure,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    headers: () => headers,
  };
}

function credentialsOf({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a literal percent sign
  }
}
