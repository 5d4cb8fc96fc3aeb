import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type AddressInfo, type Socket } from 'node:net';
import * as certificates from './certificates.js';

/** A request to a proxy. */
export interface Passed {
  readonly method: string;
  /** As it was asked: `localhost:443`, `http://lake.test/a%2fb`. */
  readonly target: string;
  readonly authorization: string | undefined;
  readonly headers: IncomingMessage['headers'];
}

export interface ProxyServer {
  readonly host: string;
  readonly port: number;
  readonly passed: Passed[];
  /** Connections to it that are open. */
  readonly sockets: ReadonlySet<Socket>;
  close(): void;
}

export interface ProxyServerOptions {
  /** Where every connection leads, whatever name was requested. */
  readonly to: number;
  /** Default: plain HTTP. */
  readonly secure?: boolean;
  /** Answers in place of the server. `undefined`: passes the request on. */
  readonly refuse?: () => number | 'silence' | undefined;
}

/** A forward proxy on loopback: CONNECT, and requests with whole URLs. */
export async function startProxy({ to, secure = false, refuse }: ProxyServerOptions): Promise<ProxyServer> {
  const passed: Passed[] = [];
  const sockets = new Set<Socket>();
  const note = ({ method = '', url = '', headers }: IncomingMessage): void =>
    void passed.push({ method, target: url, authorization: headers['proxy-authorization'], headers });
  const { key, localhost: cert } = certificates;
  const server: Server = secure ? createSecureServer({ key, cert }) : createServer();
  server.on('request', (request: IncomingMessage, response) => {
    note(request);
    const status = refuse?.();
    if (status === 'silence') return;
    if (status !== undefined) {
      response.writeHead(status).end('<html>the proxy</html>');
      return;
    }
    const { url = '', method, headers } = request;
    const path = url.replace(/^http:\/\/[^/]+/, '');
    const onward = httpRequest({ host: '127.0.0.1', port: to, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    note(request);
    const status = refuse?.();
    if (status === 'silence') {
      socket.resume().once('end', () => socket.destroy());
      return;
    }
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 4\r\n\r\nbody`);
      return;
    }
    const onward = connect(to, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    sockets.add(onward);
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const)
      one.once('close', () => other.destroy()).on('error', () => other.destroy());
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    host: `localhost:${port}`,
    port,
    passed,
    sockets,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** TLS in front of a server on loopback, for `localhost`. */
export async function startTls(to: number): Promise<{ readonly port: number; close(): void }> {
  const { key, localhost: cert } = certificates;
  const server = createSecureServer({ key, cert }, (request, response) => {
    const { method, url, headers } = request;
    const onward = httpRequest({ host: '127.0.0.1', port: to, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    onward.once('error', () => response.destroy());
    request.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
