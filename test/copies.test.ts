/** Two copies of millrace in one process, as a program and a library of operators or stores may bring them. */
import { jest } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import * as fs from '../src/fs/promises/index.js';

const entries = async () => ({
  ...(await import('../src/index.js')),
  ...(await import('../src/entries/operators.js')),
  ...(await import('../src/entries/stores.js')),
});

const ours = await entries();
const theirs = await another(entries);

/** The module once more, with all that it imports. */
async function another<T>(load: () => Promise<T>): Promise<T> {
  let copy: T | undefined;
  await jest.isolateModulesAsync(async () => {
    copy = await load();
  });
  return copy as T;
}

test('they are two copies', () => {
  expect(theirs.MillraceError).not.toBe(ours.MillraceError);
  expect(theirs.StoreError).not.toBe(ours.StoreError);
});

test('an error of the other copy is an instance of its class, and of no other', () => {
  const error = new theirs.StoreError('NotFound', 'It is not there.');
  expect(error instanceof ours.StoreError).toBe(true);
  expect(error instanceof ours.MillraceError).toBe(true);
  expect(error instanceof ours.InvalidOption).toBe(false);
  expect(new theirs.InvalidOption('a', 1, 'two') instanceof ours.InvalidOption).toBe(true);
  expect(new theirs.InvalidOption('a', 1, 'two') instanceof ours.StoreError).toBe(false);
  expect(new Error('x') instanceof ours.MillraceError).toBe(false);
  expect(ours.isStoreError(error, 'NotFound')).toBe(true);
  expect(ours.isStoreError(error, 'Conflict')).toBe(false);
});

test('a derived class has only its own instances', () => {
  class Own extends ours.StoreError {}
  expect(new Own('NotFound', 'x') instanceof Own).toBe(true);
  expect(new Own('NotFound', 'x') instanceof theirs.StoreError).toBe(true);
  expect(new ours.StoreError('NotFound', 'x') instanceof Own).toBe(false);
});

test('every exported error class recognizes errors of the other copy', () => {
  const classes = Object.entries<unknown>(ours).filter(
    (entry): entry is [keyof typeof ours, abstract new () => Error] =>
      typeof entry[1] === 'function' && entry[1].prototype instanceof Error,
  );
  expect(classes.length).toBeGreaterThan(10);
  for (const [name, type] of classes) {
    const other = theirs[name] as unknown as { readonly prototype: object };
    expect([name, Object.create(other.prototype) instanceof type]).toEqual([name, true]);
  }
});

test('a retryable error of the other copy restarts a job; another one does not', () => {
  expect(ours.isRetryable(new theirs.StoreError('Unavailable', 'Away.'))).toBe(true);
  expect(ours.isRetryable(new theirs.StoreError('PermissionDenied', 'No.'))).toBe(false);
  expect(ours.isRetryable(Object.assign(new Error('x'), { retryable: true }))).toBe(false);
});

test('paths of both copies are equal', () => {
  expect(ours.S3Path.of('s3://lake', 'a').equals(theirs.S3Path.of('s3://lake', 'a'))).toBe(true);
});

test('operators of the other copy get the services of a job of ours', async () => {
  const stores = ours.createStores();
  const { store } = stores.open('memory://lake');
  await lastValueFrom(store.put('in/a.txt', Buffer.from('a\nb\n')));
  const job = ours.createJob({
    name: 'copies',
    checkpoints: { dir: 'memory://lake/checkpoints' },
    stores,
  });
  const lines = job.source('in', ours.files('memory://lake/in/', { format: ours.text() }));
  const sink = theirs.fileSink<string>('out', 'memory://lake/out', { format: theirs.text() });
  await job.run(lines.pipe(sink as never));
  const written = await lastValueFrom(ours.listAll(store, 'out/'));
  expect(written).toHaveLength(1);
});

test('errors of millrace/fs are recognized across copies, too', async () => {
  const other = await another(() => import('../src/fs/promises/index.js'));
  const failed: unknown = await other
    .createFs({ stores: theirs.createStores() })
    .stat('memory://lake/none')
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'ENOENT' });
  expect(failed instanceof fs.FsError).toBe(true);
});
