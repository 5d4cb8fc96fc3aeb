import { ceph, cephPlace, gatewayPlace, localPlace, memoryPlace, type Place } from './places.js';
import { anyText, anyNumber, cli, contents, put, records, uploadsOf, type Outcome } from './support.js';
import { answer } from '../store/s3support.js';

const places: [string, () => Promise<Place>][] = [
  ['memory', memoryPlace],
  ['local', localPlace],
  ['gateway', gatewayPlace],
  ...(ceph === undefined ? [] : [['Ceph', cephPlace] as [string, () => Promise<Place>]]),
];

const seed = {
  'a.csv': 'one\n',
  'b.txt': 'two!\n',
  'dir/c.csv': 'three',
  'dir/deep/d e%[1].csv': 'four',
};

interface Expected {
  readonly code?: number;
  /** The whole of standard output. */
  readonly out?: string;
  /** Parts of what was written. */
  readonly outHas?: readonly (string | RegExp)[];
  readonly errHas?: readonly (string | RegExp)[];
  /** What is there afterwards, if that is other than before. */
  readonly left?: Readonly<Record<string, string>>;
}

type Row = [what: string, argv: (uri: string) => string[], expected: Expected];

const rows: Row[] = [
  ['ls: one level', (u) => ['ls', u, '--names'], { out: 'a.csv\nb.txt\ndir/\n' }],
  [
    'ls: size and time',
    (u) => ['ls', u],
    { outHas: [/^ {6}4 B {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}a\.csv$/m, /^ +dir\/$/m] },
  ],
  [
    'ls: recursive',
    (u) => ['ls', '-r', '--names', u],
    { out: 'a.csv\nb.txt\ndir/c.csv\ndir/deep/d e%[1].csv\n' },
  ],
  [
    'ls: wildcards',
    (u) => ['ls', '--names', `${u}**/*.csv`],
    { out: 'a.csv\ndir/c.csv\ndir/deep/d e%[1].csv\n' },
  ],
  ['ls: an object', (u) => ['ls', '--names', `${u}a.csv`], { out: 'a.csv\n' }],
  [
    'ls: nothing there',
    (u) => ['ls', `${u}zzz`],
    { code: 3, out: '', errHas: [/^millrace: NotFound: .*zzz does not exist/] },
  ],
  [
    'ls: nothing matches',
    (u) => ['ls', `${u}*.zip`],
    { code: 3, out: '', errHas: [/^millrace: NotFound: Nothing matches/] },
  ],
  [
    'ls: goes on after what is not there',
    (u) => ['ls', '--names', `${u}zzz`, `${u}a.csv`],
    { code: 3, out: 'a.csv\n' },
  ],
  ['cat', (u) => ['cat', `${u}a.csv`, `${u}b.txt`], { out: 'one\ntwo!\n' }],
  ['cat: wildcards', (u) => ['cat', `${u}dir/**`], { out: 'threefour' }],
  ['cat: range, both ends included', (u) => ['cat', '--range', '1-2', `${u}b.txt`], { out: 'wo' }],
  ['cat: range to the end', (u) => ['cat', '--range', '3-', `${u}b.txt`], { out: '!\n' }],
  ['cat: the last bytes', (u) => ['cat', '--range', '-2', `${u}b.txt`], { out: '!\n' }],
  ['cat: more than all of the last bytes', (u) => ['cat', '--range', '-99', `${u}b.txt`], { out: 'two!\n' }],
  [
    'cat: no range',
    (u) => ['cat', '--range', '9-3', `${u}b.txt`],
    { code: 2, out: '', errHas: ['millrace: Usage: --range 9-3'] },
  ],
  ['cat: nothing there', (u) => ['cat', `${u}zzz`, `${u}a.csv`], { code: 3, out: 'one\n' }],
  ['stat', (u) => ['stat', `${u}a.csv`], { outHas: [/^Size +4 B$/m, /^Kind +object$/m, /^ETag +\S+$/m] }],
  ['stat: a directory', (u) => ['stat', `${u}dir`], { outHas: [/^Kind +directory$/m] }],
  ['stat: quietly', (u) => ['stat', '-q', `${u}a.csv`], { out: '' }],
  ['stat: nothing there', (u) => ['stat', `${u}zzz`], { code: 3, out: '' }],
  [
    'du',
    (u) => ['du', u],
    {
      outHas: [/^ +4 B +1 object .*dir\/deep\/\n +9 B +2 objects .*dir\/\n +18 B +4 objects .*\/\n$/],
    },
  ],
  [
    'du: one level',
    (u) => ['du', '-d', '1', u],
    { outHas: [/^ +9 B +2 objects .*dir\/\n +18 B +4 objects .*\/\n$/] },
  ],
  ['du: one sum', (u) => ['du', '-s', '--bytes', u], { outHas: [/^ +18 +4 objects .*\/\n$/] }],
  [
    'cp: an object to a name',
    (u) => ['cp', `${u}a.csv`, `${u}new`],
    { left: { ...seed, new: 'one\n' }, errHas: [/^Copied 1 object, 4 B\.$/m] },
  ],
  [
    'cp: into a directory',
    (u) => ['cp', `${u}a.csv`, `${u}dir/`],
    { left: { ...seed, 'dir/a.csv': 'one\n' } },
  ],
  [
    'cp: several',
    (u) => ['cp', `${u}a.csv`, `${u}b.txt`, `${u}to`],
    { left: { ...seed, 'to/a.csv': 'one\n', 'to/b.txt': 'two!\n' } },
  ],
  [
    'cp: a directory asks for --recursive',
    (u) => ['cp', `${u}dir`, `${u}to`],
    { code: 2, errHas: ['Say --recursive'] },
  ],
  [
    'cp: of several, directories keep their names',
    (u) => ['cp', '-r', `${u}dir/`, `${u}a.csv`, `${u}to`],
    { left: { ...seed, 'to/a.csv': 'one\n', 'to/dir/c.csv': 'three', 'to/dir/deep/d e%[1].csv': 'four' } },
  ],
  [
    'cp: the content of a directory',
    (u) => ['cp', '-r', `${u}dir`, `${u}to`],
    {
      left: { ...seed, 'to/c.csv': 'three', 'to/deep/d e%[1].csv': 'four' },
    },
  ],
  [
    'cp: what matches keeps its directories',
    (u) => ['cp', `${u}d*/**`, `${u}to/`],
    {
      left: { ...seed, 'to/dir/c.csv': 'three', 'to/dir/deep/d e%[1].csv': 'four' },
    },
  ],
  [
    'cp: --no-clobber keeps what is there',
    (u) => ['cp', '-n', `${u}a.csv`, `${u}b.txt`],
    { errHas: ['1 was there already'] },
  ],
  [
    'cp: replaces without it',
    (u) => ['cp', `${u}a.csv`, `${u}b.txt`],
    { left: { ...seed, 'b.txt': 'one\n' } },
  ],
  ['cp: to standard output', (u) => ['cp', `${u}a.csv`, `${u}b.txt`, '-'], { out: 'one\ntwo!\n' }],
  ['cp: from standard input', (u) => ['cp', '-', `${u}in`], { left: { ...seed, in: 'from stdin' } }],
  ['cp: standard input needs a name', (u) => ['cp', '-', u], { code: 2, errHas: ['Name the object'] }],
  ['cp: -n, and standard input', (u) => ['cp', '-n', '-', `${u}a.csv`], { errHas: ['Not replaced'] }],
  ['cp: nothing there', (u) => ['cp', `${u}zzz`, `${u}to`], { code: 3 }],
  ['cp: onto itself', (u) => ['cp', `${u}a.csv`, `${u}a.csv`], { code: 2, errHas: ['SamePlace'] }],
  [
    'cp: two of one name',
    (u) => ['cp', `${u}a.csv`, `${u}a.csv`, `${u}to/`],
    { code: 2, errHas: ['same name'] },
  ],
  ['cp: one place is none', (u) => ['cp', u], { code: 2 }],
  [
    'mv: an object',
    (u) => ['mv', `${u}a.csv`, `${u}dir/`],
    {
      left: { 'b.txt': 'two!\n', 'dir/a.csv': 'one\n', 'dir/c.csv': 'three', 'dir/deep/d e%[1].csv': 'four' },
      errHas: [/^Moved 1 object, 4 B\.$/m],
    },
  ],
  [
    'mv: a directory',
    (u) => ['mv', `${u}dir`, `${u}to`],
    {
      left: { 'a.csv': 'one\n', 'b.txt': 'two!\n', 'to/c.csv': 'three', 'to/deep/d e%[1].csv': 'four' },
      errHas: [/^Moved 2 objects, 9 B\.$/m],
    },
  ],
  [
    'mv: what matches',
    (u) => ['mv', `${u}*.csv`, `${u}to/`],
    {
      left: { 'b.txt': 'two!\n', 'dir/c.csv': 'three', 'dir/deep/d e%[1].csv': 'four', 'to/a.csv': 'one\n' },
    },
  ],
  [
    'mv: --no-clobber keeps both',
    (u) => ['mv', '-n', `${u}a.csv`, `${u}b.txt`],
    { errHas: ['Not replaced'] },
  ],
  [
    'mv: --no-clobber moves the others of a directory',
    (u) => ['mv', '-n', `${u}dir/`, `${u}to/`],
    { left: { 'a.csv': 'one\n', 'b.txt': 'two!\n', 'to/c.csv': 'three', 'to/deep/d e%[1].csv': 'four' } },
  ],
  ['mv: into itself', (u) => ['mv', `${u}dir/`, `${u}dir/deep/`], { code: 2, errHas: ['IntoItself'] }],
  ['mv: what matches, to where it matches', (u) => ['mv', `${u}**/*.csv`, `${u}to/`], { code: 2 }],
  ['mv: nothing there', (u) => ['mv', `${u}zzz`, `${u}to`], { code: 3 }],
  [
    'rm: an object',
    (u) => ['rm', `${u}a.csv`],
    {
      left: { 'b.txt': 'two!\n', 'dir/c.csv': 'three', 'dir/deep/d e%[1].csv': 'four' },
      errHas: [/^Removed 1 object, 4 B\.$/m],
    },
  ],
  ['rm: nothing there', (u) => ['rm', `${u}zzz`], { code: 3 }],
  [
    'rm: a directory asks for --recursive',
    (u) => ['rm', `${u}dir/`],
    { code: 2, errHas: ['Say --recursive'] },
  ],
  ['rm: a directory without its slash, too', (u) => ['rm', `${u}dir`], { code: 2 }],
  [
    'rm: recursive',
    (u) => ['rm', '-r', `${u}dir`],
    { left: { 'a.csv': 'one\n', 'b.txt': 'two!\n' }, errHas: [/^Removed 2 objects, 9 B\.$/m] },
  ],
  [
    'rm: --dry-run removes nothing',
    (u) => ['rm', '-r', '--dry-run', `${u}dir/`],
    {
      outHas: [/^Would remove .*dir\/c\.csv {2}\(5 B\)$/m],
      errHas: ['it would be 2 objects, 9 B.'],
    },
  ],
  [
    'rm: what matches',
    (u) => ['rm', `${u}dir/**/*.csv`, `${u}b*`],
    { left: { 'a.csv': 'one\n' }, errHas: [/^Removed 3 objects, 14 B\.$/m] },
  ],
  ['rm: what matches without --recursive is objects', (u) => ['rm', `${u}di*`], { code: 3 }],
  ['uploads: none', (u) => ['uploads', 'ls', u], { out: '', errHas: ['no uploads'] }],
  ['uploads abort: asks for an age', (u) => ['uploads', 'abort', u], { code: 2, errHas: ['--older-than'] }],
];

describe.each(places)('commands at %s', (_, make) => {
  let place: Place;
  const below = async (): Promise<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(await contents(place.store, place.prefix)).map(([key, text]) => [
        key.slice(place.prefix.length),
        text,
      ]),
    );
  const sow = async (): Promise<void> => {
    const { objects } = await answer(place.store.list({ prefix: place.prefix }));
    await answer(place.store.delete(objects.map(({ key }) => key)));
    await put(
      place.store,
      Object.fromEntries(Object.entries(seed).map(([key, text]) => [place.prefix + key, text])),
    );
  };
  beforeAll(async () => {
    place = await make();
  });
  beforeEach(sow);
  afterAll(() => place.close());

  test.each(rows)('%s', async (__, argv, expected) => {
    const outcome: Outcome = await cli(argv(place.uri), { ...place.given, stdin: ['from ', 'stdin'] });
    const { code = 0, out, outHas = [], errHas = [], left = seed } = expected;
    expect({ code: outcome.code, err: outcome.err }).toEqual({
      code,
      err: code === 0 && errHas.length === 0 ? anyText : outcome.err,
    });
    if (out !== undefined) expect(outcome.out).toBe(out);
    for (const text of outHas) expect(outcome.out).toMatch(text);
    for (const text of errHas) expect(outcome.err).toMatch(text);
    expect(await below()).toEqual(left);
    // An error is one line, and says the code.
    if (code !== 0) expect(outcome.err).toMatch(/^millrace: \w+: [^\n]+\n$/m);
  });

  test('--json: results as records that say all there is', async () => {
    const { code, out, err } = await cli(['ls', '-r', '--json', place.uri], place.given);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const found = records(out);
    expect(found.map(({ name, size, kind }) => ({ name, size, kind }))).toEqual([
      { name: 'a.csv', size: 4, kind: 'object' },
      { name: 'b.txt', size: 5, kind: 'object' },
      { name: 'c.csv', size: 5, kind: 'object' },
      { name: 'd e%[1].csv', size: 4, kind: 'object' },
    ]);
    // What a listing says can be given back.
    const last = await cli(['cat', String(found[3]?.['uri'])], place.given);
    expect(last.out).toBe('four');
    expect(Date.parse(String(found[0]?.['modified']))).toBeGreaterThan(0);
  });

  test('uploads: listed, and aborted when they are old enough', async () => {
    await answer(place.store.createUpload(`${place.prefix}big`));
    const listed = await cli(['uploads', 'ls', '--json', place.uri], place.given);
    expect(records(listed.out)).toEqual([{ uri: `${place.uri}big`, uploadId: anyText, initiated: anyText }]);
    const young = await cli(['uploads', 'abort', '--older-than', '1d', place.uri], place.given);
    expect(young).toMatchObject({ code: 0, out: '', err: 'Aborted 0 uploads.\n' });
    const dry = await cli(['uploads', 'abort', '--older-than', '0s', '--dry-run', place.uri], place.given);
    expect(dry.err).toBe('Nothing was aborted; it would be 1 upload.\n');
    expect(await uploadsOf(place.store, place.prefix)).toBe(1);
    const done = await cli(['uploads', 'abort', '--older-than', '0s', place.uri], place.given);
    expect(done).toMatchObject({ code: 0, err: 'Aborted 1 upload.\n' });
    expect(await uploadsOf(place.store, place.prefix)).toBe(0);
  });

  test('cp again does nothing', async () => {
    await cli(['cp', '-r', `${place.uri}dir/`, `${place.uri}to/`], place.given);
    const again = await cli(['cp', '-r', `${place.uri}dir/`, `${place.uri}to/`], place.given);
    expect(again).toMatchObject({ code: 0, err: 'Nothing to do: 2 were there already.\n' });
    const told = await cli(['cp', '-r', '--json', `${place.uri}dir/`, `${place.uri}to/`], place.given);
    expect(records(told.out)).toEqual([
      {
        type: 'copied',
        objects: 2,
        bytes: 9,
        skipped: { objects: 2, bytes: 9 },
        seconds: anyNumber,
      },
    ]);
  });
});
