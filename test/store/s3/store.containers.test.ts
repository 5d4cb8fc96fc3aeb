import { existsSync } from 'node:fs';
import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { lastValueFrom } from 'rxjs';
import { inspectServer } from '../../../src/store/inspect.js';
import { S3Connection } from '../../../src/store/s3/index.js';
import { answer, credentials, failure } from '../s3support.js';

// Cheap: a socket that is not there has no engine behind it.
const host = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
const engine = !host.startsWith('unix://') || existsSync(host.slice('unix://'.length));

// The last one that does SSE-S3 without a key server.
const image = 'rustfs/rustfs:1.0.0-alpha.83';

if (engine) {
  // Not the conformance suite: servers that keep objects as files refuse keys such as `a//b`.
  test('s3 on RustFS in a container: conditions, ranges, copies, multipart, batch delete, SSE-S3', async () => {
    const { GenericContainer } = await import('testcontainers');
    const container = await new GenericContainer(image)
      .withEnvironment({
        RUSTFS_ACCESS_KEY: credentials.accessKeyId,
        RUSTFS_SECRET_KEY: credentials.secretAccessKey,
      })
      .withExposedPorts(9000)
      .start();
    const endpoint = `http://${container.getHost()}:${container.getMappedPort(9000)}`;
    const s3 = new S3Connection({ endpoint, credentials });
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
    try {
      await lastValueFrom(s3.createBucket('lake'), { defaultValue: undefined });
      const store = s3.store('lake');
      const content = { type: 'text/plain', cacheControl: 'no-store' };
      await answer(store.put('a b/ü', Buffer.from('hello'), { ifNoneMatch: '*', content }));
      const again = store.put('a b/ü', Buffer.from('x'), { ifNoneMatch: '*' });
      expect(await failure(again)).toMatchObject({ code: 'AlreadyExists' });
      const { chunks } = await answer(store.get('a b/ü', { range: { start: 1, end: 3 } }));
      expect(Buffer.concat(chunks).toString()).toBe('el');
      await answer(store.copy('a b/ü', 'copy'));
      expect((await answer(store.head('copy'))).content).toMatchObject(content);
      const { uploadId } = await answer(store.createUpload('big'));
      const part = await answer(store.uploadPart('big', uploadId, 1, Buffer.from('part')));
      await answer(store.completeUpload('big', uploadId, [part]));
      expect((await answer(store.head('big'))).size).toBe(4);

      await answer(s3.store('lake', { sse: { type: 'sse-s3' } }).put('sealed', Buffer.from('hello')));
      const head = await client.send(new HeadObjectCommand({ Bucket: 'lake', Key: 'sealed' }));
      expect(head.ServerSideEncryption).toBe('AES256');
      expect(Buffer.concat((await answer(store.get('sealed'))).chunks).toString()).toBe('hello');

      expect(await answer(store.delete(['a b/ü', 'copy', 'big', 'sealed', 'none']))).toEqual([]);
      const { findings } = await answer(inspectServer({ store }));
      expect(findings.find(({ name }) => name === 'conditional-put')).toMatchObject({ found: true });
      expect((await answer(store.list({}))).objects).toEqual([]);
    } finally {
      client.destroy();
      s3.close();
      await container.stop();
    }
  });
} else {
  test.todo(`s3 in a container: skipped, there is no Docker engine at ${host}`);
}
