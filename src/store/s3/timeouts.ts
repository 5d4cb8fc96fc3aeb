import type { ClientRequest, IncomingMessage } from 'node:http';

/** Milliseconds. */
export interface Timeouts {
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly idleTimeout: number;
}

/** Fails a request that gets no socket in time. Returns a function that removes the limit. */
export function limitWait(outgoing: ClientRequest, ms: number, reject: (error: Error) => void): () => void {
  const late = setTimeout(() => {
    const error = timedOut(`connect within ${ms} ms`);
    outgoing.destroy(error);
    reject(error);
  }, ms);
  const end = (): void => clearTimeout(late);
  outgoing.once('socket', end);
  return end;
}

function timedOut(what: string): Error {
  return Object.assign(new Error(`The server did not ${what}`), { name: 'TimeoutError', code: 'ETIMEDOUT' });
}

/** Fails a request whose connection is silent for too long: while connecting, until the response starts, and within a body that is read. */
export function watchSilence(
  outgoing: ClientRequest,
  method: string,
  secure: boolean,
  timeouts: Timeouts,
): void {
  const { connectionTimeout, requestTimeout, idleTimeout } = timeouts;
  outgoing.once('socket', (socket) => {
    let incoming: IncomingMessage | undefined;
    let phase = '';
    const onTimeout = (): void => {
      (incoming ?? outgoing).destroy(timedOut(phase));
    };
    const arm = (ms: number, promise: string): void => {
      phase = promise;
      socket.setTimeout(ms);
    };
    const connected = secure ? 'secureConnect' : 'connect';
    let connecting: NodeJS.Timeout | undefined;
    const waiting = (): void => {
      clearTimeout(connecting);
      arm(requestTimeout, `move a byte for ${requestTimeout} ms`);
    };
    socket.on('timeout', onTimeout);
    if (socket.connecting) {
      // Also covers the TLS handshake, and is not reset by its bytes.
      phase = `connect within ${connectionTimeout} ms`;
      connecting = setTimeout(onTimeout, connectionTimeout);
      socket.once(connected, waiting);
    } else waiting();
    outgoing.once('response', (response) => {
      incoming = response;
      if (method === 'GET') arm(idleTimeout, `send a byte of the body for ${idleTimeout} ms`);
    });
    outgoing.once('close', () => {
      clearTimeout(connecting);
      socket.off('timeout', onTimeout);
      socket.off(connected, waiting);
      socket.setTimeout(0);
    });
  });
}
