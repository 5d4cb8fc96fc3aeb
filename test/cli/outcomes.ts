/** What commands do at any location with the same objects: exit codes, output, and what is left. */

export const seed = {
  'a.csv': 'one\n',
  'b.txt': 'two!\n',
  'dir/c.csv': 'three',
  'dir/deep/d e%[1].csv': 'four',
};

export interface Expected {
  readonly code?: number;
  /** The whole of standard output. */
  readonly out?: string;
  /** Parts of what was written. */
  readonly outHas?: readonly (string | RegExp)[];
  readonly errHas?: readonly (string | RegExp)[];
  /** The objects afterwards, if they differ from those before. */
  readonly left?: Readonly<Record<string, string>>;
}

export type Row = [what: string, argv: (uri: string) => string[], expected: Expected];

export const rows: Row[] = [
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
    'ls: continues after a missing object',
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
    { left: { ...seed, new: 'one\n' }, errHas: [/^Copied 1 object, 4 B( in \d+ s \([^)]*\))?\.$/m] },
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
    { code: 2, errHas: ['Add --recursive'] },
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
  [
    'cp: nothing matches one of several, and nothing is done',
    (u) => ['cp', `${u}*.csv`, `${u}*.zip`, `${u}to/`],
    { code: 3, errHas: [/^millrace: NotFound: Nothing matches .*\.zip/] },
  ],
  ['mv: nothing matches', (u) => ['mv', `${u}*.zip`, `${u}to/`], { code: 3, errHas: ['Nothing matches'] }],
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
      errHas: [/^Moved 1 object, 4 B( in \d+ s \([^)]*\))?\.$/m],
    },
  ],
  [
    'mv: a directory',
    (u) => ['mv', `${u}dir`, `${u}to`],
    {
      left: { 'a.csv': 'one\n', 'b.txt': 'two!\n', 'to/c.csv': 'three', 'to/deep/d e%[1].csv': 'four' },
      errHas: [/^Moved 2 objects, 9 B( in \d+ s \([^)]*\))?\.$/m],
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
      errHas: [/^Removed 1 object, 4 B( in \d+ s \([^)]*\))?\.$/m],
    },
  ],
  ['rm: nothing there', (u) => ['rm', `${u}zzz`], { code: 3 }],
  [
    'rm: a directory asks for --recursive',
    (u) => ['rm', `${u}dir/`],
    { code: 2, errHas: ['Add --recursive'] },
  ],
  ['rm: a directory without its slash, too', (u) => ['rm', `${u}dir`], { code: 2 }],
  [
    'rm: recursive',
    (u) => ['rm', '-r', `${u}dir`],
    {
      left: { 'a.csv': 'one\n', 'b.txt': 'two!\n' },
      errHas: [/^Removed 2 objects, 9 B( in \d+ s \([^)]*\))?\.$/m],
    },
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
    { left: { 'a.csv': 'one\n' }, errHas: [/^Removed 3 objects, 14 B( in \d+ s \([^)]*\))?\.$/m] },
  ],
  ['rm: what matches without --recursive is objects', (u) => ['rm', `${u}di*`], { code: 3 }],
  ['uploads: none', (u) => ['uploads', 'ls', u], { out: '', errHas: ['There are no unfinished uploads'] }],
  ['uploads abort: asks for an age', (u) => ['uploads', 'abort', u], { code: 2, errHas: ['--older-than'] }],
];
