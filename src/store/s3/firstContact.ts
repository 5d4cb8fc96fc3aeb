/**
 * A host that is not found, or a port that hangs up, is a configuration error until the server has responded once. After
 * that, both count as an outage: a cluster's service, for example, has no DNS name while it has no instances.
 */
import { connect } from 'node:tls';
import { isStoreError } from '../errors.js';
import { isProxyError } from './proxy/errors.js';
import type { Reason } from './failures.js';

/** The buckets of a connection that have responded at least once. */
export class Reached {
  readonly #buckets = new Set<string>();

  answered(bucket: string): void {
    this.#buckets.add(bucket);
  }

  /** Why a bucket that has never responded cannot be reached, if that is certain. */
  async why(
    bucket: string,
    raw: unknown,
    endpoint: string | undefined,
    signal: AbortSignal,
  ): Promise<Reason | undefined> {
    const { code, name, $metadata } = (raw ?? {}) as SdkError;
    const status = $metadata?.httpStatusCode;
    const away = [302, 303, 307, 308].includes(status ?? 0) && name !== 'TemporaryRedirect';
    if (status !== undefined && status !== 400 && !away) this.answered(bucket);
    if (this.#buckets.has(bucket)) return undefined;
    if (away || (isStoreError(raw, 'Unavailable') && raw.status === 404)) return noServer;
    if (code === 'ENOTFOUND') return isProxyError(raw) ? unknownProxy : unknownHost;
    const garbled = typeof code === 'string' && code.startsWith('HPE_INVALID_');
    // Servers that expect TLS respond to plain requests with 400, with a TLS alert, or not at all.
    const refused = garbled || status === 400 || code === 'ECONNRESET' || code === 'EPIPE';
    if (refused && endpoint?.startsWith('http:') === true && (await speaksTls(new URL(endpoint), signal)))
      return tlsPort;
    return garbled ? notHttp : undefined;
  }
}

interface SdkError {
  readonly code?: unknown;
  readonly name?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Something else responds, with a redirect or a 404; the error already describes it. */
const noServer: Reason = { code: 'NotSupported' };

const unknownHost: Reason = {
  code: 'InvalidRequest',
  advice:
    'No such host is known: check the endpoint and the region, and the DNS of this machine; where the bucket’s name is part of the host, set `s3.path-style-access` (in code, `forcePathStyle`)',
};

const unknownProxy: Reason = {
  code: 'InvalidRequest',
  advice: 'No such proxy is known: check its URL, and the DNS of this machine',
};

const tlsPort: Reason = {
  code: 'InvalidRequest',
  advice: 'This port speaks TLS: use https:// in the endpoint, or the port for http',
};

const notHttp: Reason = {
  code: 'InvalidRequest',
  advice: 'What answers there does not speak HTTP: check the endpoint and its port',
};

/** Milliseconds. */
const patience = 2000;

/** Whether the server completes a TLS handshake. No data is sent. */
function speaksTls({ hostname, port }: URL, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port === '' ? 80 : Number(port),
      // Only the protocol is probed.
      rejectUnauthorized: false,
    });
    const tell = (speaks: boolean) => () => {
      signal.removeEventListener('abort', hangUp);
      socket.destroy();
      resolve(speaks);
    };
    const hangUp = tell(false);
    signal.addEventListener('abort', hangUp, { once: true });
    socket.setTimeout(patience, hangUp);
    socket.once('secureConnect', tell(true));
    socket.once('error', hangUp);
    socket.once('close', hangUp);
  });
}
