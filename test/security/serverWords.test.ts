import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { inspect } from 'node:util';
import { openStores } from '../../src/entries/stores.js';

const title = '\u001b]0;gone\u0007';
const turned = '\u202e\u061c\u009b31m';

let server: Server;
beforeAll(async () => {
  server = createServer((_, answer) => {
    answer.writeHead(403, { 'content-type': 'application/xml' });
    answer.end(`<Error><Code>Access${turned}Denied</Code><Message>evil ${title}${turned}</Message></Error>`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

test('words of a server cannot control a terminal: not in a message, its cause, or its stack', async () => {
  const { port } = server.address() as AddressInfo;
  using stores = openStores({
    s3: {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    },
  });
  const { store } = stores.open('s3://bucket/');
  const error = await lastValueFrom(store.get('key')).catch((reason: unknown) => reason as Error);
  expect(error).toMatchObject({ code: 'PermissionDenied' });
  expect((error as Error).message).toContain('evil \\u{1b}]0;gone\\u{7}\\u{202e}\\u{61c}\\u{9b}31m');
  for (const text of [(error as Error).message, (error as Error).stack, inspect(error, { depth: 5 })])
    expect(text?.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});
