import type { IncomingMessage } from 'node:http';
import { StoreError } from '../../errors.js';
import type { Proxy } from './proxies.js';

/** What the proxy answered in place of the server. */
export function refused(
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
    : new StoreError(
        'Unavailable',
        `${said}. Trying again may help; if it stays so, check the endpoint and the proxy.`,
      );
}

/** The error of a connection, with the proxy that it was to lead through. */
export function named(proxy: Proxy, error: NodeJS.ErrnoException): Error {
  if (error instanceof StoreError) return error;
  const { name, code, message } = error;
  return Object.assign(new Error(`${byProxy}${proxy.name}: ${message}`), { name, code });
}

const byProxy = 'by the proxy ';

/** Whether it is an error of the way to a proxy. */
export function isProxys(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith(byProxy);
}
