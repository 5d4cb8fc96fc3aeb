import { DirectorySums } from '../../../src/cli/directorySums.js';
import { asDirectory, below, lastName, locate, locateTarget } from '../../../src/cli/locate.js';
import { errorLines } from '../../../src/cli/render/errors.js';
import { barLine, plainLine } from '../../../src/cli/render/progressLine.js';
import { summary } from '../../../src/cli/render/meter.js';
import { Rate } from '../../../src/cli/render/rate.js';
import { ending, printable, readable } from '../../../src/cli/render/text.js';
import { counted, date, size, time } from '../../../src/cli/render/units.js';
import { redactor } from '../../../src/cli/redact.js';
import { rangeOf } from '../../../src/cli/commands/cat.js';

const MiB = 2 ** 20;

describe('human-readable numbers', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1.25 * MiB, '1.3 MiB'],
    [99.94 * MiB, '99.9 MiB'],
    [99.96 * MiB, '100 MiB'],
    [999.9 * MiB, '1000 MiB'],
    [999.96 * MiB, '1.0 GiB'],
    [2 ** 31, '2.0 GiB'],
    [5 * 2 ** 40, '5.0 TiB'],
  ])('%d bytes: %s', (bytes, text) => expect(size(bytes)).toBe(text));

  test.each([
    [0.2, '0 s'],
    [8, '8 s'],
    [80, '1 min 20 s'],
    [3600, '1 h'],
    [7500, '2 h 5 min'],
    [90_000, '1 d 1 h'],
  ])('%d seconds: %s', (seconds, text) => expect(time(seconds)).toBe(text));

  test('counts and dates', () => {
    expect(counted(1, 'object')).toBe('1 object');
    expect(counted(4200, 'object')).toBe('4,200 objects');
    expect(date(0)).toBe('');
    expect(date(new Date(2026, 0, 2, 3, 4).getTime())).toBe('2026-01-02 03:04');
  });
});

describe('text', () => {
  test('characters that move the cursor or reverse the text are escaped', () => {
    expect(printable('a\u001b[2Jb\u202ec\nd é 🦊')).toBe('a\\u{1b}[2Jb\\u{202e}c\\u{a}d é 🦊');
  });

  test('a URI is decoded where the decoded form is the same URI', () => {
    expect(readable('s3://b/a%20b%C3%A9%2A%25%0A')).toBe('s3://b/a bé%2A%25%0A');
  });

  test('long text keeps its end', () => {
    expect(ending('abcdef', 6)).toBe('abcdef');
    expect(ending('abcdef', 4)).toBe('…def');
  });
});

describe('progress', () => {
  const progress = {
    objects: { done: 0, total: 1 },
    bytes: { done: 1.25 * 2 ** 30, total: 2 ** 31 },
    uri: 's3://lake/backup/big%20one.tar',
  };
  const standing = { doing: 'Copying', progress, rate: 104 * MiB };

  test('fits its width, the important parts first', () => {
    const at = (columns: number) => barLine(standing, { columns, unicode: true });
    expect(at(110)).toBe(
      'Copying  62%  ━━━━━━━━━━━━━━━━━━━───────────  1.3 GiB of 2.0 GiB  104 MiB/s  7 s left  big one.tar',
    );
    expect(at(70)).toBe('Copying  62%  ━━━━━━━━━─────  1.3 GiB of 2.0 GiB  104 MiB/s  7 s left');
    expect(at(40)).toBe('Copying  62%  1.3 GiB of 2.0 GiB');
    expect(at(20)).toBe('Copying  62%');
    for (let columns = 20; columns < 150; columns++) expect(at(columns).length).toBeLessThan(columns);
  });

  test('is ASCII on a terminal without Unicode', () => {
    expect(barLine(standing, { columns: 70, unicode: false })).toMatch(/^Copying {2}62% {2}#+-+ {2}1\.3/);
  });

  test('shows no percentage before the listing is complete', () => {
    const unknown = {
      ...standing,
      progress: { ...progress, objects: { done: 1204 }, bytes: { done: 5 * MiB } },
    };
    expect(barLine(unknown, { columns: 100, unicode: true })).toBe(
      'Copying  5.0 MiB  104 MiB/s  1,204 objects  big one.tar',
    );
  });

  test('without a terminal', () => {
    expect(plainLine(standing)).toBe('Copying: 1.3 GiB of 2.0 GiB (62%), 104 MiB/s, 7 s left');
  });

  test('summaries', () => {
    const verb = { doing: 'Copying', done: 'Copied' };
    const skipped = (objects: number, bytes: number) => ({
      objects: { done: 3 },
      bytes: { done: 30 * MiB },
      skipped: { objects, bytes },
      uri: '',
    });
    expect(summary(verb, skipped(0, 0), 2)).toBe('Copied 3 objects, 30.0 MiB in 2 s (15.0 MiB/s).');
    expect(summary(verb, skipped(1, 10 * MiB), 0.3)).toBe('Copied 2 objects, 20.0 MiB. 1 was there already.');
    expect(summary(verb, skipped(3, 30 * MiB), 0.3)).toBe('Nothing to do: 3 were there already.');
    expect(summary(verb, skipped(0, 8 * MiB), 0.3)).toBe(
      'Copied 3 objects, 22.0 MiB. 8.0 MiB had arrived before.',
    );
  });

  test('the rate is that of the last ten seconds', () => {
    const rate = new Rate();
    expect(rate.at(0, 0)).toBeUndefined();
    for (let second = 0; second <= 30; second++) rate.note(second * 1000, second * (second < 15 ? 100 : 500));
    expect(rate.at(30_000, 15_000)).toBe(500);
    // Standing still.
    expect(rate.at(40_000, 15_000)).toBeLessThan(300);
  });
});

describe('sums of directories', () => {
  const sums = (base: string, depth: number, keys: readonly string[]): string[] => {
    const told: string[] = [];
    const all = new DirectorySums(base, depth, ({ key, objects, bytes }) =>
      told.push(`${key}=${objects}/${bytes}`),
    );
    keys.forEach((key, i) => all.add(key, 10 ** i));
    all.end();
    return told;
  };

  test('each directory after its subdirectories, the total last', () => {
    const keys = ['a/b/1', 'a/b/2', 'a/x', 'b', 'c/d/e/f'];
    expect(sums('', Infinity, keys)).toEqual([
      'a/b/=2/11',
      'a/=3/111',
      'c/d/e/=1/10000',
      'c/d/=1/10000',
      'c/=1/10000',
      '=5/11111',
    ]);
    expect(sums('', 1, keys)).toEqual(['a/=3/111', 'c/=1/10000', '=5/11111']);
    expect(sums('', 0, keys)).toEqual(['=5/11111']);
    expect(sums('a/', Infinity, keys.slice(0, 3))).toEqual(['a/b/=2/11', 'a/=3/111']);
  });

  test('double slashes are directories with an empty name', () => {
    expect(sums('', Infinity, ['a//b', 'a/b'])).toEqual(['a//=1/1', 'a/=2/11', '=2/11']);
  });
});

describe('places', () => {
  test('local paths are literal, and relative to the working directory', async () => {
    expect(await locate('a b%', '/nowhere/x')).toMatchObject({
      uri: 'file:///nowhere/x/a%20b%25',
      display: 'a b%',
    });
    expect(await locate('/tmp', '/nowhere')).toMatchObject({ uri: 'file:///tmp/', localDirectory: true });
    await expect(locate('.', '/')).rejects.toThrow('names no directory');
  });

  test('wildcards count in a path, but not in the working directory', async () => {
    const { uri, glob } = await locate('../y/*.txt', '/nowhere/[x]');
    expect(uri).toBe('file:///nowhere/y/*.txt');
    expect(glob?.prefix).toBe('y/');
    expect((await locate('*.txt', '/nowhere/[x]')).glob?.prefix).toBe('[x]/');
    expect((await locateTarget('*.txt', '/nowhere')).glob).toBeUndefined();
  });

  test('URIs keep every byte, and are shown without secrets', async () => {
    const { uri, display } = await locate('s3x://key:secret@host/b/a%20b', '/');
    expect(uri).toBe('s3x://key:secret@host/b/a%20b');
    expect(display).toBe('s3x://host/b/a b');
  });

  test('names', () => {
    expect(below({ uri: 's3://b/dir' }, 'a b/c')).toBe('s3://b/dir/a%20b/c');
    expect(asDirectory('s3://b')).toBe('s3://b/');
    expect(lastName('a/b/')).toBe('b');
    expect(lastName('a')).toBe('a');
  });
});

test('ranges', () => {
  expect(rangeOf('0-0')).toEqual({ start: 0, end: 1 });
  expect(rangeOf('5-')).toEqual({ start: 5 });
  expect(rangeOf('-5')).toEqual({ last: 5 });
  for (const text of ['-', '', '5', '5-4', 'a-b', '1-2-3'])
    expect(() => rangeOf(text)).toThrow('is not a range');
});

describe('errors as they are shown', () => {
  test('take one line, whatever the message', () => {
    expect(errorLines(new Error('two\n  lines\u001b'))).toEqual([
      'millrace: Unexpected: two lines\\u{1b} (--debug shows where)',
    ]);
  });

  test('contain no secrets from outside', () => {
    const clean = redactor({ AWS_SECRET_ACCESS_KEY: 'top/secret', HOME: '/home/me' }, [
      '--set=s3.secret-key=other+one',
      'x',
    ]);
    expect(clean('a top/secret b top%2Fsecret c other+one d other%2Bone /home/me')).toBe(
      'a <hidden> b <hidden> c <hidden> d <hidden> /home/me',
    );
    expect(clean('by http://me:pass@proxy.test:3128/ and https://host:9000/a@b')).toBe(
      'by http://proxy.test:3128/ and https://host:9000/a@b',
    );
    expect(clean('s3x://k:s@h:9000/b/x s3x://h:9000/b/x@y s3://b/x@y s3x://k:a/b@h/b')).toBe(
      's3x://h:9000/b/x s3x://h:9000/b/x@y s3://b/x@y s3x://h/b',
    );
  });
});
