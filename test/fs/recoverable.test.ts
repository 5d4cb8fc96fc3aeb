import { lastValueFrom } from 'rxjs';
import { InvalidRecoverable, openRecoverableWriter } from 'millrace/stores';
import { backends, type Backend } from './backends.js';
import { codeOf, content } from './recoverable/support.js';

const MiB = 2 ** 20;

describe.each(backends)('openRecoverableWriter on %s', (_, open) => {
  let backend: Backend;
  let subset = true;

  beforeAll(async () => {
    backend = await open();
    const { capabilities } = backend.stores.open(backend.base);
    ({ completeSubset: subset } = await lastValueFrom(capabilities));
  });

  afterAll(async () => {
    await backend.close();
  });

  const writer = () =>
    openRecoverableWriter(`${backend.base}out`, {
      stores: backend.stores,
      partSize: '5MiB',
      inFlight: 2,
    });
  const keyOf = (name: string): string => `${backend.stores.open(backend.base).key}out/${name}`;
  const read = async (name: string): Promise<Buffer> => {
    const { chunks } = await lastValueFrom(backend.store.get(keyOf(name)));
    return Buffer.concat(chunks);
  };
  const same = async (name: string, bytes: Buffer): Promise<boolean> => (await read(name)).equals(bytes);
  const first = content(6 * MiB);
  const second = content(5 * MiB, 7);

  test('a file that its process left open is sealed at its resumable, whatever the process still does', async () => {
    if (!subset) return; // such a server cannot leave parts out
    await using zombie = writer();
    const file = await zombie.open('left');
    await file.write(first);
    const resumable = await file.persist();
    await file.write(second);
    await using next = writer();
    const committable = next.recover(resumable);
    await file.write(second);
    const { size } = await next.commit(committable);
    expect(size).toBe(first.length);
    await next.commit(committable);
    expect(await same('left', first)).toBe(true);
    await next.cleanup(committable);
    await next.commit(committable);
    // The upload is over: what the zombie persists cannot be committed, and is not taken for the file.
    const late = await codeOf(file.persist().then(async (late) => zombie.commit(zombie.recover(late))));
    expect(['ForeignObject', 'NotFound']).toContain(late);
    expect(await same('left', first)).toBe(true);
  });

  test('a closed file is committed any number of times; not over the object of another', async () => {
    await using one = writer();
    const file = await one.open('closed');
    for (const bytes of [first, second]) await file.write(bytes);
    const committable = await file.closeForCommit();
    await one.close();
    await using other = writer();
    await other.commit(committable);
    await other.commit(committable);
    expect(await same('closed', Buffer.concat([first, second]))).toBe(true);
    await lastValueFrom(backend.store.put(keyOf('closed'), second));
    expect(await codeOf(other.commit(committable))).toBe('ForeignObject');
    await lastValueFrom(backend.store.delete([keyOf('closed')]));
    expect(await codeOf(other.commit(committable))).toBe('LostUpload');
  });

  test('an upload that a rule has removed is LostUpload, and an empty file an empty object', async () => {
    await using one = writer();
    const gone = await one.open('gone');
    await gone.write('x');
    const committable = await gone.closeForCommit();
    await one.abandon(committable);
    expect(await codeOf(one.commit(committable))).toBe('LostUpload');
    const empty = await one.open('empty');
    await one.commit(await empty.closeForCommit());
    expect((await read('empty')).length).toBe(0);
  });

  test('persist is refused exactly where Complete cannot leave parts out', async () => {
    await using one = writer();
    const file = await one.open('persisted');
    await file.write(first);
    expect(await codeOf(file.persist())).toBe(subset ? undefined : 'NotSupported');
    await one.abandon(await file.closeForCommit());
  });

  test('what is not its own is refused', async () => {
    await using one = writer();
    expect(() => one.recover('x')).toThrow(InvalidRecoverable);
    expect(await codeOf(one.commit('x'))).toBe('InvalidRecoverable');
    const file = await one.open('a');
    await file.write('x');
    const committable = await file.closeForCommit();
    await using elsewhere = openRecoverableWriter(`${backend.base}other/`, { stores: backend.stores });
    expect(await codeOf(elsewhere.commit(committable))).toBe('ForeignName');
    await one.abandon(committable);
  });
});

test('unknown options, and parts that are too small, are refused', async () => {
  expect(() => openRecoverableWriter('memory://a/', { partsize: 1 } as never)).toThrow('partSize');
  await using writer = openRecoverableWriter('memory://a/', { partSize: '1MiB' });
  expect(await codeOf(writer.open('x'))).toBe('InvalidOption');
});
