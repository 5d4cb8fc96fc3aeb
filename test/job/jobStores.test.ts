import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { lastValueFrom } from 'rxjs';
import { jobStores } from '../../src/job/jobStores.js';
import { resolveOptions } from '../../src/job/options.js';

test('a manifest in flight is answered after the run is over; then the connection is closed', async () => {
  let held: ServerResponse | undefined;
  let arrived = (): void => undefined;
  const arrival = new Promise<void>((resolve) => (arrived = resolve));
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      held = response;
      arrived();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const { stores, close } = jobStores(
      resolveOptions({
        name: 'test',
        checkpoints: { dir: 's3://lake/checkpoints' },
        s3: {
          endpoint: `http://127.0.0.1:${port}`,
          credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
        },
      }),
    );
    const { store, reserved } = stores.open('s3://lake/checkpoints');
    const answer = lastValueFrom(reserved.put('checkpoints/log/1', Buffer.from('{}'), { ifNoneMatch: '*' }));
    await arrival;
    close();
    held?.setHeader('ETag', '"tag"');
    held?.end();
    await expect(answer).resolves.toEqual({ etag: 'tag' });
    await expect(lastValueFrom(store.head('any'))).rejects.toMatchObject({ code: 'InvalidRequest' });
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
