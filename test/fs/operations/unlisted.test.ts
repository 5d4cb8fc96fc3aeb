import { execFileSync } from 'node:child_process';
import { access, lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tap, type Observable } from 'rxjs';
import { loadConfig } from '../../../src/config/index.js';
import { createFs } from '../../../src/fs/promises/index.js';
import {
  createOperations,
  PartlyFailed,
  type Entry,
  type Failure,
  type Links,
  type Operations,
} from '../../../src/fs/operations/index.js';
import { createLocalStore, createStores, openStores, type Stores } from '../../../src/entries/stores.js';
import { cli } from '../../cli/support.js';
import { refusingDisk } from '../../store/refusingDisk.js';
import { all, content, errorOf } from '../support.js';

describe('a local file that is not an object', () => {
  let root: string;
  let stores: Stores;
  let operations: Operations;
  const at = (name: string): string => join(root, name);
  const uri = (name: string): string => `file://${root}/${name}`;
  const name = (of: string): string => decodeURIComponent(of).replace(`file://${root}/`, '');
  const over = (opened: Stores): Operations =>
    createOperations({ stores: opened, config: loadConfig({ env: {}, file: false }) });
  const failed = async (work: Observable<unknown>): Promise<[string, string[]]> => {
    const error = await errorOf(work);
    if (!(error instanceof PartlyFailed)) throw error;
    return [error.code, error.failures.map((each) => name(each.uri)).sort()];
  };
  const exists = (path: string): Promise<boolean> =>
    access(at(path)).then(
      () => true,
      () => false,
    );
  const target = (): Promise<Record<string, string>> => content(stores.open('memory://to/').store);
  /** All of a kind that no option is needed for. */
  const unreadable = ['src/Z\ufffd.txt', 'src/broken.txt', 'src/pipe', 'src/sub/loop/'];

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-unlisted-'));
    stores = createStores();
    operations = over(stores);
    await mkdir(at('src/sub'), { recursive: true });
    await mkdir(at('other'));
    await writeFile(at('src/a.txt'), 'a');
    await writeFile(at('src/sub/b.txt'), 'b');
    await writeFile(at('other/c.txt'), 'c');
    await symlink('nowhere', at('src/broken.txt'));
    execFileSync('mkfifo', [at('src/pipe')]);
    await writeFile(Buffer.from(`${at('src')}/Z\xfc.txt`, 'latin1'), 'z');
    await symlink('..', at('src/sub/loop'));
  });
  afterEach(() => rm(root, { recursive: true }));

  test('is reported after everything else is listed', async () => {
    const seen: Entry[] = [];
    const walked = await failed(operations.walk(uri('src/')).pipe(tap((entry) => seen.push(entry))));
    expect(walked).toEqual(['ListFailed', unreadable]);
    expect(seen.map((entry) => name(entry.uri))).toEqual(['src/a.txt', 'src/sub/b.txt']);
    expect(await failed(operations.list(uri('src')))).toEqual(['ListFailed', unreadable.slice(0, 3)]);
    expect(await failed(operations.walk(uri('src/*.txt')))).toEqual(['ListFailed', unreadable.slice(0, 2)]);
    expect(await all(operations.walk(uri('src/a*')))).toHaveLength(1);
  });

  test('fails a copy after everything else is copied', async () => {
    for (const work of [
      operations.copy(uri('src/'), 'memory://to/'),
      operations.bulkCopy({ from: uri('src'), to: 'memory://to/' }),
      operations.bulkCopy({ from: uri('src/**'), to: 'memory://to/' }),
    ]) {
      expect(await failed(work)).toEqual(['CopyFailed', unreadable]);
      expect(await target()).toEqual({ 'a.txt': 'a', 'sub/b.txt': 'b' });
    }
    expect(await failed(operations.bulkCopy({ from: uri('src/*.txt'), to: 'memory://to/' }))).toEqual([
      'CopyFailed',
      unreadable.slice(0, 2),
    ]);
  });

  test('fails a move, and stays in place', async () => {
    expect(await failed(operations.move(uri('src/'), 'memory://to/'))).toEqual(['CopyFailed', unreadable]);
    expect(await target()).toEqual({ 'a.txt': 'a', 'sub/b.txt': 'b' });
    expect(await exists('src/a.txt')).toBe(false);
    expect((await lstat(at('src/pipe'))).isFIFO()).toBe(true);
    expect((await lstat(at('src/broken.txt'))).isSymbolicLink()).toBe(true);
  });

  test('fails a removal, and stays in place', async () => {
    expect(await failed(operations.remove(uri('src/'), { recursive: true }))).toEqual([
      'RemoveFailed',
      unreadable,
    ]);
    expect(await exists('src/a.txt')).toBe(false);
    expect((await lstat(at('src/pipe'))).isFIFO()).toBe(true);
    expect(await errorOf(operations.remove(uri('src/')))).toMatchObject({ code: 'NotEmpty' });
    expect(await all(operations.exists(uri('src/')))).toEqual([true]);
  });

  test('is skipped and reported if configured', async () => {
    const skipped: Failure[] = [];
    const options = { unreadable: 'skip', onSkipped: (one: Failure) => skipped.push(one) } as const;
    const told = (): string[] =>
      skipped
        .splice(0)
        .map((one) => name(one.uri))
        .sort();
    await all(operations.walk(uri('src/'), options));
    expect(told()).toEqual(unreadable);
    await all(operations.copy(uri('src/'), 'memory://to/', options));
    expect(told()).toEqual(unreadable);
    await all(operations.bulkCopy({ from: uri('src/'), to: 'memory://to/' }, options));
    expect(told()).toEqual(unreadable);
    await all(operations.move(uri('src/sub/'), 'memory://to/', { ...options, links: 'skip' }));
    expect(told()).toEqual(['src/sub/loop/']);
    await all(operations.remove(uri('src/'), { ...options, links: 'skip', recursive: true }));
    expect(told()).toEqual(unreadable);
  });

  test('is an error of its own if it is named itself', async () => {
    const no = { code: 'NotSupported' };
    for (const work of [
      operations.stat(uri('src/pipe')),
      operations.copy(uri('src/pipe'), 'memory://to/x'),
      operations.read(uri('src/pipe')),
      operations.remove(uri('src/pipe'), { mustExist: true }),
    ])
      expect(await errorOf(work)).toMatchObject(no);
    expect(await errorOf(operations.stat(uri('src/broken.txt')))).toMatchObject({ code: 'NotFound' });
  });

  test.each([
    ['unreadable', { unreadable: 'sikp' }],
    ['links', { links: 'flolow' }],
  ])('an unknown value of %s is refused', async (option, options) => {
    for (const work of [
      operations.walk(uri('src/'), options as object),
      operations.copy(uri('src/'), 'memory://to/', options as object),
      operations.remove(uri('src/'), { ...(options as object), recursive: true }),
    ])
      expect(await errorOf(work)).toMatchObject({
        code: 'InvalidOption',
        message: expect.stringContaining(option) as string,
      });
    expect(await exists('src/a.txt')).toBe(true);
  });

  describe('links', () => {
    beforeEach(async () => {
      for (const path of ['src/broken.txt', 'src/pipe', 'src/sub/loop']) await rm(at(path));
      await rm(Buffer.from(`${at('src')}/Z\xfc.txt`, 'latin1'));
      await symlink('../other', at('src/dir'));
      await symlink('a.txt', at('src/file.txt'));
    });

    test.each<[Links | undefined, string[], string[]]>([
      [undefined, ['a.txt', 'dir/c.txt', 'file.txt', 'sub/b.txt'], []],
      ['follow', ['a.txt', 'dir/c.txt', 'file.txt', 'sub/b.txt'], []],
      ['files', ['a.txt', 'file.txt', 'sub/b.txt'], ['src/dir/']],
      ['skip', ['a.txt', 'sub/b.txt'], []],
      ['fail', ['a.txt', 'sub/b.txt'], ['src/dir/', 'src/file.txt']],
    ])('of a copy: %s', async (links, copied, failures) => {
      const work = operations.copy(uri('src/'), 'memory://to/', links === undefined ? {} : { links });
      if (failures.length === 0) await all(work);
      else expect(await failed(work)).toEqual(['CopyFailed', failures]);
      expect(Object.keys(await target())).toEqual(copied);
    });

    test.each(['move', 'remove'] as const)('to directories are not followed by %s', async (which) => {
      const work =
        which === 'move'
          ? operations.move(uri('src/'), 'memory://to/')
          : operations.remove(uri('src/'), { recursive: true });
      expect((await failed(work))[1]).toEqual(['src/dir/']);
      expect(await readFile(at('other/c.txt'), 'utf8')).toBe('c');
      expect((await lstat(at('src/dir'))).isSymbolicLink()).toBe(true);
      // Links to files are removed themselves.
      await expect(lstat(at('src/file.txt'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    test.each(['mv', 'rm'])('to directories are not followed by patterns of %s', async (command) => {
      const to = command === 'mv' ? [`${at('to')}/`] : [];
      const { code, err } = await cli([command, `${at('src')}/**`, ...to], { stores: openStores() });
      expect(code).toBe(1);
      expect(err).toContain('src/dir');
      expect(await readFile(at('other/c.txt'), 'utf8')).toBe('c');
      expect(await exists('src/a.txt')).toBe(false);
    });
  });

  test('an unreadable directory is reported, and a file in it is accessible by name', async () => {
    for (const path of ['src/broken.txt', 'src/pipe', 'src/sub/loop']) await rm(at(path));
    await rm(Buffer.from(`${at('src')}/Z\xfc.txt`, 'latin1'));
    const [, bucket = ''] = root.split('/');
    const disk = refusingDisk(['readdir', at('src/sub')]);
    stores = createStores({ schemes: { file: () => createLocalStore(`/${bucket}`, { disk }) } });
    operations = over(stores);
    expect(await failed(operations.copy(uri('src/'), 'memory://to/'))).toEqual(['CopyFailed', ['src/sub/']]);
    expect(await failed(operations.bulkCopy({ from: uri('src/**'), to: 'memory://to/' }))).toEqual([
      'CopyFailed',
      ['src/sub/'],
    ]);
    await all(operations.bulkCopy({ from: uri('src/*.txt'), to: 'memory://to/' }));
    await all(operations.copy(uri('src/sub/b.txt'), 'memory://to/x'));
    expect(await target()).toEqual({ 'a.txt': 'a', x: 'b' });
  });

  test('millrace/fs lists it, and fails operations that would read it', async () => {
    await using fs = createFs({ stores: openStores() });
    const names = ['Z\ufffd.txt', 'a.txt', 'broken.txt', 'pipe', 'sub'];
    expect((await fs.readdir(at('src'))).sort()).toEqual(names);
    const kinds = await fs.readdir(at('src'), { withFileTypes: true });
    expect(kinds.filter((each) => each.isFile()).map((each) => each.name)).toEqual(['a.txt']);
    const opened: string[] = [];
    for await (const entry of await fs.opendir(at('src'))) opened.push(entry.name);
    expect(opened.sort()).toEqual(names);
    await expect(fs.cp(at('src'), at('to'), { recursive: true })).rejects.toMatchObject({ code: 'ENOTSUP' });
    await expect(fs.cp(at('src'), at('to2'), { recursive: true, filter: () => true })).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTSUP|ENOENT/) as string,
    });
    await expect(fs.rm(at('src'), { recursive: true })).rejects.toMatchObject({ code: 'ENOTSUP' });
    expect((await lstat(at('src/pipe'))).isFIFO()).toBe(true);
  });

  describe('on the command line', () => {
    const run = (...argv: string[]): ReturnType<typeof cli> => cli(argv, { stores: openStores() });
    /** Operations that delete follow no link to a directory. */
    const skip = ([command = '']: readonly string[]): string[] =>
      ['mv', 'rm'].includes(command) ? ['--skip-unreadable', '--links', 'skip'] : ['--skip-unreadable'];
    const commands: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ['ls', ['ls', '-r'], []],
      ['du', ['du'], []],
      ['cp', ['cp', '-r'], ['to/']],
      ['mv', ['mv'], ['to/']],
      ['rm', ['rm', '-r'], []],
    ];

    test.each(commands)('%s does everything else, reports it, and exits with 1', async (_, argv, to) => {
      const { code, err } = await run(...argv, at('src'), ...to.map(at));
      expect(code).toBe(1);
      for (const what of ['broken.txt', 'pipe', 'Z\\xfc.txt', 'loop']) expect(err).toContain(what);
    });

    test.each(commands)(
      '%s --skip-unreadable warns of what it skips, and exits with 0',
      async (_, argv, to) => {
        const { code, err } = await run(...argv, ...skip(argv), at('src'), ...to.map(at));
        expect(code).toBe(0);
        const warnings = err.split('\n').filter((line) => line.startsWith('millrace: warning: skipped '));
        expect(warnings).toHaveLength(4);
      },
    );

    test.each(commands)('%s --json has a record of each', async (_, argv, to) => {
      const places = [at('src'), ...to.map(at)];
      const records = (text: string): string[] =>
        text
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => (JSON.parse(line) as { type: string }).type);
      const skipped = await run(...argv, '--json', ...skip(argv), ...places);
      expect(records(skipped.err).filter((type) => type === 'skipped')).toHaveLength(4);
      const failures = await run(...argv, '--json', ...places);
      expect(records(failures.err).filter((type) => type === 'failure')).toHaveLength(4);
    });

    test('du sums everything else', async () => {
      const { out } = await run('du', '--json', at('src'));
      expect(
        out
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { bytes: number }).bytes),
      ).toEqual([1, 2]);
    });

    test('--links accepts what the command supports', async () => {
      expect((await run('rm', '-r', '--links', 'follow', at('src'))).code).toBe(2);
      expect((await run('mv', '--links', 'follow', at('src'), at('to/'))).code).toBe(2);
      expect(await exists('src/a.txt')).toBe(true);
      const { code, err } = await run('ls', '-r', '--links', 'skip', '--skip-unreadable', at('src'));
      expect(code).toBe(0);
      expect(err).toContain('sub/loop');
    });
  });
});
