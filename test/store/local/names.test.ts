import fc from 'fast-check';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { lastValueFrom, toArray } from 'rxjs';
import { createLocalStore, listAll, type ObjectStore } from '../../../src/entries/stores.js';
import { directoriesOf, filesOf, keysName, readOwnName } from '../../../src/store/local/names.js';
import { effort } from '../../support/effort.js';

const odd = [
  '',
  '.',
  '..',
  '\0',
  'a\0b',
  '%',
  '%41',
  '%_',
  '%o',
  '%d',
  '%+',
  'x%o',
  'x%d',
  'x%+',
  '%25',
  '%2525',
  '%00',
  '%2E',
  '50% off',
  '.millrace',
  '.millrace-keys',
  '.Millrace',
  '…',
  '\ufffd',
  'victim',
];
const long = [
  'a'.repeat(255),
  'a'.repeat(256),
  `${'a'.repeat(240)}..`,
  `${'a'.repeat(240)}.millrace`,
  '%'.repeat(255),
  '%'.repeat(300),
  'ü'.repeat(300),
  '\0'.repeat(1024),
];
const part = fc.oneof(
  { arbitrary: fc.constantFrom(...odd), weight: 6 },
  { arbitrary: fc.constantFrom(...long), weight: 2 },
  { arbitrary: fc.string({ unit: fc.constantFrom(...Array.from('%.o+d25a\0')) }), weight: 3 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 20 }), weight: 1 },
);
const longest = ['/'.repeat(1024), '../'.repeat(341), '\0/'.repeat(512), `a/${'%/'.repeat(511)}`];
const key = fc
  .array(part, { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join('/'))
  .filter((text) => text !== '' && Buffer.byteLength(text) <= 1024 && !/\p{Surrogate}/u.test(text));

/** Every path at which the object of a key may be. */
function pathsOf(whole: string, directory = '/root'): string[] {
  const slash = whole.indexOf('/');
  if (slash < 0) return filesOf(directory, whole).map((file) => `${directory}/${file}`);
  return directoriesOf(directory, whole.slice(0, slash)).flatMap((below) =>
    pathsOf(whole.slice(slash + 1), `${directory}/${below}`),
  );
}

/** The key that a path stands for. */
function keyOf(path: string): string {
  const [plain = '', ...kept] = path.slice('/root/'.length).split(new RegExp(`(?:^|/)${keysName}/`));
  let text = '';
  for (const [i, name] of kept.join(`/${keysName}/`).split('/').entries()) {
    if (kept.length === 0) break;
    const own = readOwnName(name, !name.endsWith('%o'));
    if (own === undefined) throw new Error(`${name} is no name of ours`);
    if (i === 0 && plain !== '') text += `${plain}/`;
    text += own.text + (own.kind === 'directory' ? '/' : '');
  }
  return kept.length === 0 ? plain : text;
}

describe('keys and paths', () => {
  test('every path maps back to its key, and is valid for a file system', () => {
    fc.assert(
      fc.property(key, (whole) => {
        const paths = pathsOf(whole);
        for (const path of paths) {
          expect(keyOf(path)).toBe(whole);
          const names = path.slice(1).split('/');
          expect(
            names.filter(
              (name) =>
                ['', '.', '..', '.millrace'].includes(name) ||
                name.includes('\0') ||
                Buffer.byteLength(name) > 255,
            ),
          ).toEqual([]);
        }
        expect(new Set(paths).size).toBe(paths.length);
        expect(Math.max(...paths.map((path) => Buffer.byteLength(path)))).toBeLessThan(3200);
      }),
      { numRuns: effort(40, 300), examples: longest.slice(0, 3).map((whole): [string] => [whole]) },
    );
  });
});

describe('in a directory', () => {
  let directory: string;
  let store: ObjectStore;
  const put = (name: string): Promise<unknown> => lastValueFrom(store.put(name, Buffer.from(name)));
  const read = async (name: string): Promise<string> =>
    Buffer.concat((await lastValueFrom(store.get(name))).chunks).toString();
  const keys = async (): Promise<string[]> =>
    (await lastValueFrom(listAll(store, '').pipe(toArray()))).flat().map((one) => one.key);
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-names-'));
    store = createLocalStore(directory, { durable: false });
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('any keys are separate objects, and are removed one by one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(key, { minLength: 1, maxLength: 8 }), async (names) => {
        for (const name of names) await put(name);
        const sorted = names.map((name) => Buffer.from(name)).sort((a, b) => Buffer.compare(a, b));
        expect(await keys()).toEqual(sorted.map(String));
        for (const name of names) expect(await read(name)).toBe(name);
        for (const [i, name] of names.entries()) {
          expect(await lastValueFrom(store.delete([name]))).toEqual([]);
          for (const other of names.slice(i + 1)) expect(await read(other)).toBe(other);
        }
        expect(await keys()).toEqual([]);
      }),
      { numRuns: effort(6, 40) },
    );
  });

  test('keys of 1,024 bytes with nothing but what no file system accepts', async () => {
    // The time grows with the cube of the depth. How long the paths of the others are at full length is checked above.
    const names = longest.map((name) => (name.startsWith('../') ? name : name.slice(0, 200)));
    for (const name of names) await put(name);
    expect(await keys()).toEqual([...names].sort());
    for (const name of names) expect(await read(name)).toBe(name);
  });

  test('a long name reaches no other object, and no file of the store itself', async () => {
    await put('victim');
    const names = [
      `${'a'.repeat(240)}../victim`,
      `${'a'.repeat(255)}../victim`,
      `${'a'.repeat(240)}../../victim`,
      '.millrace/tmp',
      '.millrace/tmp/x',
      '.millrace-keys/victim%o',
      `${'.'.repeat(240)}.millrace/tmp`,
    ];
    for (const name of names) await put(name);
    expect(await read('victim')).toBe('victim');
    for (const name of names) expect(await read(name)).toBe(name);
    expect(await readdir(join(directory, '.millrace/tmp'))).toEqual([]);
  });

  const theirs = [
    ...['a%20b.txt', 'report%2Epdf', '100%25.txt', 'sale-50%o', 'x%d', 'y%+', 'nul%00.txt', '%_', '50%_'],
    ...['%41.txt', '%2E%2E', '%2Emillrace', '%', '.millrace2', 'a'.repeat(255), '%'.repeat(255)],
    ...[`${'a'.repeat(253)}%+`, 'ü'.repeat(127), '\u0001\n\t', '\ufffd', ' '],
  ];

  test('files of other programs have their names as keys, whatever these look like', async () => {
    await mkdir(join(directory, 'd%d/50%+'), { recursive: true });
    for (const name of theirs) {
      await writeFile(join(directory, name), name);
      await writeFile(join(directory, 'd%d/50%+', name), name);
    }
    const all = [...theirs, ...theirs.map((name) => `d%d/50%+/${name}`)];
    expect(new Set(await keys())).toEqual(new Set(all));
    for (const name of all) expect(await read(name)).toBe(name.replace('d%d/50%+/', ''));
    for (const name of all) {
      await put(name);
      expect(await readFile(join(directory, name), 'utf8')).toBe(name);
    }
    expect(await lastValueFrom(store.delete(all))).toEqual([]);
    expect(await keys()).toEqual([]);
  });

  test('a directory that another program creates beside a stored one is read, too, and removed with it', async () => {
    await put('d');
    await put('d/ours');
    await put('d/both');
    await lastValueFrom(store.delete(['d']));
    await mkdir(join(directory, 'd/deep'), { recursive: true });
    for (const name of ['d/theirs', 'd/both', 'd/deep/er']) await writeFile(join(directory, name), 'theirs');
    expect(await keys()).toEqual(['d/both', 'd/deep/er', 'd/ours', 'd/theirs']);
    expect(await Promise.all(['d/both', 'd/deep/er', 'd/ours', 'd/theirs'].map(read))).toEqual([
      'd/both',
      'theirs',
      'd/ours',
      'theirs',
    ]);
    await put('d/theirs');
    expect(await read('d/theirs')).toBe('d/theirs');
    expect(await lastValueFrom(store.delete(await keys()))).toEqual([]);
    expect(await keys()).toEqual([]);
    await expect(read('d/both')).rejects.toMatchObject({ code: 'NotFound' });
  });

  test('a lone surrogate is not a key, and not the file of another key', async () => {
    await put('\ufffd');
    const bad = { code: 'InvalidRequest' };
    await expect(read('\ud800')).rejects.toMatchObject(bad);
    await expect(lastValueFrom(store.head('d/\udc00/x'))).rejects.toMatchObject(bad);
    expect(await lastValueFrom(store.delete(['\ud800']))).toMatchObject([{ error: bad }]);
    expect(await keys()).toEqual(['\ufffd']);
  });

  test('a name in the store’s own directory that belongs to no key is reported', async () => {
    await put('a//b');
    const kept = join(directory, 'a', keysName);
    for (const name of ['theirs', 'x%', 'b%+', `${'c'.repeat(241)}%o`, 'link%o', '%d/x%25%0f%o'])
      await mkdir(dirname(join(kept, name)), { recursive: true }).then(() =>
        writeFile(join(kept, name), 'x'),
      );
    const { objects, unlisted = [] } = await lastValueFrom(store.list({ unlisted: 'report' }));
    expect(objects.map((one) => one.key)).toEqual(['a//b', 'a/link']);
    expect(unlisted.map((one) => one.error.message.replace(/ has a name.*/, ''))).toEqual(
      ['%d/x%25%0f%o', 'b%+', `${'c'.repeat(241)}%o`, 'theirs', 'x%'].map((name) => join(kept, name)),
    );
  });
});
