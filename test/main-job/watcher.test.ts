import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Watch } from '../../examples/main-job/watcher.js';

const program = fileURLToPath(new URL('../../build/examples/main-job/watcher.js', import.meta.url));
const line = (id: number): string =>
  `${JSON.stringify({ user: 'ann', day: '2026-03-02', clicks: id, id })}\n`;

/** The watcher, as the demo starts it, on a small store that can misbehave. */
describe('the watcher', () => {
  const objects = new Map<string, { readonly body: string; readonly etag: string }>();
  let server: Server;
  let child: ChildProcess;

  beforeEach(async () => {
    objects.clear();
    server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://store');
      const key = decodeURIComponent(pathname.slice('/lake/'.length));
      if (key === '') {
        const contents = [...objects].map(
          ([name, { body, etag }]) =>
            `<Contents><Key>${name}</Key><Size>${Buffer.byteLength(body)}</Size><ETag>${etag}</ETag></Contents>`,
        );
        response.setHeader('content-type', 'application/xml');
        response.end(`<?xml version="1.0"?><ListBucketResult>${contents.join('')}</ListBucketResult>`);
      } else {
        response.end(objects.get(key)?.body);
      }
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    const place = { endpoint, region: 'us-east-1', bucket: 'lake', prefix: 'clicks/' };
    child = fork(program, [JSON.stringify(place)], { env: { ...process.env, ...keys }, silent: true });
  });

  afterEach(async () => {
    child.kill('SIGKILL');
    await new Promise((closed) => {
      server.close(closed);
      server.closeAllConnections();
    });
  });

  const put = (name: string, body: string, etag = '1'): void =>
    void objects.set(`clicks/${name}`, { body, etag });

  async function seen(want: (watch: Watch) => boolean): Promise<Watch> {
    for (;;) {
      const [watch] = (await once(child, 'message')) as [Watch];
      if (want(watch)) return watch;
    }
  }

  function finish(): Promise<Watch> {
    child.send('finish');
    return seen(({ finished }) => finished);
  }

  it('accepts whole objects, and reads them more than once', async () => {
    put('a', line(1) + line(2));
    await seen(({ reads }) => reads >= 3);
    put('b', line(3));
    expect(await finish()).toMatchObject({ objects: 2, partial: 0, findings: [] });
  });

  it.each([
    ['has no end of its last line', line(1) + line(2).slice(0, 20)],
    ['lacks only its last newline', line(1).trimEnd()],
    ['has a line that is no record', `${line(1)}{"user":"ann"}\n`],
    ['has a line that is no JSON', `${line(1)}\0\0\0\n`],
  ])('counts an object that %s', async (_, body) => {
    put('good', line(9));
    put('bad', body);
    expect(await finish()).toMatchObject({ objects: 1, partial: 1 });
  });

  it('counts an object that grows, changes or goes away after it was published', async () => {
    for (const name of ['grows', 'changes', 'goes', 'stays']) put(name, line(1));
    await seen(({ objects: known }) => known === 4);
    put('grows', line(1) + line(2));
    put('changes', line(2), '2');
    objects.delete('clicks/goes');
    expect(await finish()).toMatchObject({ objects: 4, partial: 3 });
  });

  it('counts an object whose bytes change although its listing does not', async () => {
    put('a', line(1));
    await seen(({ objects: known }) => known === 1);
    put('a', line(2));
    expect(await finish()).toMatchObject({ partial: 1, findings: [expect.stringContaining('other bytes')] });
  });
});
