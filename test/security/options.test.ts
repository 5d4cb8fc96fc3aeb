import { loadConfig } from '../../src/index.js';
import { S3Path } from '../../src/entries/stores.js';
import { createOperations } from '../../src/fs/operations/index.js';
import { createFs } from '../../src/fs/promises/index.js';
import { lastValueFrom } from 'rxjs';

describe('a part larger than a buffer can be is refused before anything is done', () => {
  const bulkCopied = (partSize: string): Promise<unknown> =>
    lastValueFrom(createOperations().bulkCopy({ from: 'memory://a/x', to: 'memory://b/x' }, { partSize }));
  const streamed = async (partSize: string): Promise<unknown> =>
    createFs().writeFile('memory://a/x', 'x', { partSize } as never);

  test.each([
    ['bulkCopy', bulkCopied],
    ['writeFile', streamed],
  ])('%s', async (_, run) => {
    await expect(run('5GiB')).rejects.toMatchObject({
      code: expect.stringMatching(/InvalidOption|EINVAL|ERR_INVALID/) as string,
    });
    await expect(run('1073741825')).rejects.toThrow();
  });

  test.each(['s3.upload.min.part.size', 's3.spi.write.multipart-part-size'])('%s', (key) => {
    const load = (size: string): unknown => loadConfig({ file: false, env: {}, set: { [key]: size } });
    expect(() => load('5GiB')).toThrow(expect.objectContaining({ code: 'InvalidConfig' }));
    expect(() => load('1GiB')).not.toThrow();
  });
});

describe('a URI is not a path', () => {
  const uris = [
    's3://other/foo',
    's3a://other/foo',
    'S3://other/foo',
    's3x://h/b/foo',
    'file:///x',
    'memory://m/x',
  ];

  test.each(uris)('%s', (uri) => {
    const path = S3Path.of('b', 'a');
    const refused = expect.objectContaining({ code: 'InvalidPath' }) as Error;
    expect(() => S3Path.of('b', uri)).toThrow(refused);
    expect(() => S3Path.of('b', 'a', uri)).toThrow(refused);
    expect(() => path.resolve(uri)).toThrow(refused);
    expect(() => path.resolveSibling(uri)).toThrow(refused);
    expect(() => path.relativize(uri)).toThrow(refused);
  });

  test('names that only look like URIs are accepted', () => {
    expect(S3Path.of('b', 's3:/x').toString()).toBe('s3:/x');
    expect(S3Path.of('b', 'http://x').toString()).toBe('http:/x');
  });
});
