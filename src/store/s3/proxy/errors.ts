import type { IncomingMessage } from 'node:http';
import { StoreError } from '../../errors.js';
import type { Proxy } from './proxies.js';

/** The error of a proxy's own response. */
export function proxyRefused(
  proxy: Proxy,
  { statusCode = 0, statusMessage = '' }: Pick<IncomingMessage, 'statusCode' | 'statusMessage'>,
  place: string,
): StoreError {
  const said =
    `The proxy ${proxy.name} does not let a request to ${place} through: ${statusCode} ${statusMessage}`.trimEnd();
  if (statusCode === 407)
    return new StoreError(
      'PermissionDenied',
      `${said}. Check the user and password in the proxy's URL (http://user:password@host:port).`,
    );
  return statusCode >= 400 && statusCode < 500
    ? new StoreError('PermissionDenied', `${said}. Allow the host at the proxy, or name it in NO_PROXY.`)
    : new StoreError('Unavailable', `${said}. Retry; if it keeps failing, check the endpoint and the proxy.`);
}

/** Adds the proxy to the error of a connection through it. */
export function withProxy(proxy: Proxy, error: NodeJS.ErrnoException): Error {
  if (error instanceof StoreError) return error;
  const { name, code, message } = error;
  return Object.assign(new Error(`${byProxy}${proxy.name}: ${message}`), { name, code });
}

const byProxy = 'by the proxy ';

/** Whether {@link withProxy} made the error. */
export function isProxyError(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith(byProxy);
}
