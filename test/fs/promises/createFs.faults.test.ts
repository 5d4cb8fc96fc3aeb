import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { lastValueFrom } from 'rxjs';
import { createFs, type Fs } from '../../../src/fs/promises/index.js';
import {
  startGateway,
  type Fault,
  type FaultRequest,
  type Gateway,
} from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { openStores, type OpenedStores } from '../../../src/store/open.js';
import { credentials } from '../../store/s3support.js';

const MiB = 2 ** 20;
const bytes = Buffer.alloc(12 * MiB + 7);
for (let i = 0; i < bytes.length; i += 509) bytes[i] = (i * 11) & 255;

describe('millrace/fs over a server that misbehaves', () => {
  let lake: ObjectStore;
  let gateway: Gateway;
  let stores: OpenedStores;
  let fs: Fs;
  let fault: (request: FaultRequest) => Fault | undefined;
  const seen: string[] = [];

  beforeEach(async () => {
    lake = createMemoryStore();
    fault = () => undefined;
    seen.length = 0;
    gateway = await startGateway({
      buckets: { lake },
      credentials,
      faults: (request) => {
        seen.push(request.operation);
        return fault(request);
      },
    });
    stores = openStores({
      s3: {
        endpoint: gateway.endpoint,
        credentials,
        // Only a body that stalls is waited for as long as that.
        idleTimeout: '1s',
        bodyResumes: 100,
        retry: { maxRetries: 100, base: 1, throttledBase: 1, cap: 5 },
      },
    });
    fs = createFs({ stores });
  });

  afterEach(async () => {
    await fs.close();
    stores.close();
    await gateway.close();
  });

  it.each<[string, Fault]>([
    ['stalls', { failure: { kind: 'stall', at: MiB } }],
    ['breaks off', { failure: { kind: 'cut', at: MiB } }],
    ['is throttled', { failure: { kind: 'answer', status: 503, code: 'SlowDown' } }],
    ['is reset', { failure: { kind: 'reset' } }],
  ])('continues to read when a body %s', async (_, once) => {
    await lastValueFrom(lake.put('a', bytes));
    let struck = 0;
    fault = ({ operation }) => {
      if (operation !== 'GetObject' || struck > 1) return undefined;
      struck++;
      return once;
    };
    expect((await buffer(fs.createReadStream('s3://lake/a'))).equals(bytes)).toBe(true);
    expect(struck).toBe(2);
  });

  it.each<[string, Fault]>([
    ['is lost', { failure: { kind: 'lose-answer' } }],
    ['is a 500', { failure: { kind: 'answer-after', status: 500, code: 'InternalError' } }],
  ])(
    'publishes once, and succeeds, when the answer to Complete or to a conditional PUT %s',
    async (_, once) => {
      fault = ({ operation, attempt }) =>
        (operation === 'CompleteMultipartUpload' || operation === 'PutObject') && attempt === 1
          ? once
          : undefined;
      await pipeline([bytes], fs.createWriteStream('s3://lake/a', { flags: 'wx' }));
      expect((await fs.readFile('s3://lake/a')).equals(bytes)).toBe(true);
      await fs.writeFile('s3://lake/b', 'small', { flag: 'wx' });
      expect(await fs.readFile('s3://lake/b', 'utf8')).toBe('small');
      expect(seen.filter((operation) => operation === 'CompleteMultipartUpload').length).toBe(1);
      expect((await lastValueFrom(lake.listUploads({ prefix: '' }))).uploads).toEqual([]);
    },
  );

  it('aborts the upload when a part cannot be written', async () => {
    fault = ({ operation, query }) =>
      operation === 'UploadPart' && query.get('partNumber') === '2'
        ? { failure: { kind: 'answer', status: 403, code: 'AccessDenied' } }
        : undefined;
    await expect(fs.writeFile('s3://lake/a', bytes)).rejects.toMatchObject({
      code: 'EACCES',
      syscall: 'open',
    });
    expect((await lastValueFrom(lake.listUploads({ prefix: '' }))).uploads).toEqual([]);
    await expect(fs.access('s3://lake/a')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
