import type { ClientRequest, IncomingMessage } from 'node:http';

/** Milliseconds. */
export interface HandlerTimes {
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly idleTimeout: number;
}

/** Ends a request that gets no socket in time. What comes back ends the limit. */
export function limit(outgoing: ClientRequest, ms: number, reject: (error: Error) => void): () => void {
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

/** Ends a request whose connection is silent for too long: while it is made, until the answer starts, and within a body that is read. */
export function watch(outgoing: ClientRequest, method: string, secure: boolean, times: HandlerTimes): void {
  const { connectionTimeout, requestTimeout, idleTimeout } = times;
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
      // In all, with the handshake of TLS, however many bytes that moves.
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
