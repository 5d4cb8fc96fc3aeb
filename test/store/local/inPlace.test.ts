import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concat, defer, firstValueFrom, NEVER, Subject, throwError, type Observable } from 'rxjs';
import { nodeDisk, type Disk } from '../../../src/store/local/disk.js';
import { createLocalStore } from '../../../src/store/local/index.js';
import { localInPlace } from '../../../src/store/local/inPlace.js';

const answer = <T>(request: Observable<T>): Promise<T> => firstValueFrom(request);
const layout = { size: 8, partSize: 5, etag: 'e' };

describe('the parts of one file', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-place-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const setUp = async (disk: Disk = nodeDisk(false)) => {
    const store = createLocalStore(directory, { disk, minimumPartSize: 1 });
    const { uploadId, laidOut } = await answer(store.createUpload('a', { layout }));
    expect(laidOut).toBe(true);
    return { store, uploadId, place: localInPlace(directory, disk) };
  };
  const deadDisk = (alive: boolean): Disk => ({
    ...nodeDisk(false),
    owner: '1.1.other',
    alive: (owner) => owner !== '1.1.other' || alive,
  });

  it('are written in any order and in pieces', async () => {
    const { store, uploadId, place } = await setUp();
    const second = await answer(
      place.fillPart('a', uploadId, 2, (write) =>
        defer(() => write([Buffer.from('6'), Buffer.from('78')], 0)),
      ),
    );
    const first = await answer(
      place.fillPart('a', uploadId, 1, (write) =>
        concat(
          defer(() => write([Buffer.from('45')], 3)),
          defer(() => write([Buffer.from('123')], 0)),
        ),
      ),
    );
    await answer(store.completeUpload('a', uploadId, [first, second]));
    const { info, chunks } = await answer(store.get('a'));
    expect([Buffer.concat(chunks).toString(), info.etag]).toEqual(['12345678', 'e']);
    expect(() => place.release('a', uploadId)).not.toThrow();
  });

  it('are not there if they were not filled', async () => {
    const { store, uploadId, place } = await setUp();
    const failing = place.fillPart('a', uploadId, 1, () => throwError(() => new Error('broken')));
    await expect(answer(failing)).rejects.toThrow('broken');
    const asked = new Subject<void>();
    const filling = place.fillPart('a', uploadId, 2, () => {
      asked.next();
      return NEVER;
    });
    const begun = answer(asked);
    const running = filling.subscribe();
    await begun;
    running.unsubscribe();
    expect((await answer(store.listParts('a', uploadId))).parts).toEqual([]);
    await expect(answer(place.fillPart('a', 'none-0', 1, () => NEVER))).rejects.toMatchObject({
      code: 'NotFound',
    });
  });

  it('may be claimed when the copy is over, and no part is being written', async () => {
    const { uploadId, place } = await setUp();
    expect(await answer(place.claim('a', uploadId))).toBe(false);
    const asked = new Subject<void>();
    const end = new Subject<void>();
    const begun = answer(asked);
    const filled = answer(
      place.fillPart('a', uploadId, 1, () => {
        asked.next();
        return end;
      }),
    );
    await begun;
    place.release('a', uploadId);
    expect(await answer(place.claim('a', uploadId))).toBe(false);
    end.complete();
    await filled;
    expect(await answer(place.claim('a', uploadId))).toBe(true);
    expect(await answer(place.claim('a', uploadId))).toBe(false);
  });

  it.each([true, false])('are claimed from another process unless it is alive (%p)', async (alive) => {
    const { uploadId } = await setUp(deadDisk(true));
    const mine = { ...nodeDisk(false), alive: deadDisk(alive).alive };
    expect(await answer(localInPlace(directory, mine).claim('a', uploadId))).toBe(!alive);
    // The other one is late.
    expect(await answer(localInPlace(directory, deadDisk(true)).claim('a', uploadId))).toBe(false);
  });
});
