import { existsSync } from 'node:fs';
import { lastValueFrom } from 'rxjs';
import { S3Connection } from '../../src/store/s3/index.js';
import { answer, credentials, failure } from './s3support.js';

// Cheap: a socket that is not there has no engine behind it.
const host = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
const engine = !host.startsWith('unix://') || existsSync(host.slice('unix://'.length));

if (engine) {
  // Not the conformance suite: this server refuses keys such as `a//b`.
  test('s3 on MinIO in a container: conditions, ranges, multipart, batch delete', async () => {
    const { GenericContainer } = await import('testcontainers');
    const container = await new GenericContainer('minio/minio:RELEASE.2025-04-22T22-12-26Z')
      .withCommand(['server', '/data'])
      .withEnvironment({
        MINIO_ROOT_USER: credentials.accessKeyId,
        MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
      })
      .withExposedPorts(9000)
      .start();
    const endpoint = `http://${container.getHost()}:${container.getMappedPort(9000)}`;
    const s3 = new S3Connection({ endpoint, credentials });
    try {
      await lastValueFrom(s3.createBucket('lake'), { defaultValue: undefined });
      const store = s3.store('lake');
      await answer(store.put('a b/ü', Buffer.from('hello'), { ifNoneMatch: '*' }));
      const again = store.put('a b/ü', Buffer.from('x'), { ifNoneMatch: '*' });
      expect(await failure(again)).toMatchObject({ code: 'AlreadyExists' });
      const { chunks } = await answer(store.get('a b/ü', { range: { start: 1, end: 3 } }));
      expect(Buffer.concat(chunks).toString()).toBe('el');
      const { uploadId } = await answer(store.createUpload('big'));
      const part = await answer(store.uploadPart('big', uploadId, 1, Buffer.from('part')));
      await answer(store.completeUpload('big', uploadId, [part]));
      expect((await answer(store.head('big'))).size).toBe(4);
      expect(await answer(store.delete(['a b/ü', 'big', 'none']))).toEqual([]);
      expect((await answer(store.list({}))).objects).toEqual([]);
    } finally {
      s3.close();
      await container.stop();
    }
  }, 180_000);
} else {
  test.todo(`s3 in a container: skipped, there is no Docker engine at ${host}`);
}
