import { jest } from '@jest/globals';
import { Readable } from 'node:stream';
import { Output } from '../../../src/cli/output.js';
import { Meter } from '../../../src/cli/render/meter.js';
import { anyNumber, cli, contents, Kept, lasting, put, records } from '../support.js';

const MiB = 2 ** 20;
const verb = { doing: 'Copying', done: 'Copied' };
const at = (done: number) => ({
  objects: { done: 0, total: 1 },
  bytes: { done: done * MiB, total: 100 * MiB },
  uri: 's3://lake/big.tar',
});

describe('a bar on a terminal', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate'] }));
  afterEach(() => jest.useRealTimers());

  const begin = () => {
    const stderr = new Kept(true);
    const err = new Output(stderr, new AbortController().signal);
    const io = {
      stdin: Readable.from([]),
      stdout: new Kept(),
      stderr,
      env: { LANG: 'C.UTF-8' },
      cwd: '/',
      interrupt: new AbortController().signal,
      now: () => Date.now(),
    };
    return { stderr, err, meter: new Meter({ json: false, quiet: false, err, io }, verb) };
  };

  test('appears if the command takes long, moves, and disappears before the summary', () => {
    const { stderr, meter } = begin();
    meter.update(at(0));
    jest.advanceTimersByTime(300);
    expect(stderr.text).toBe('');
    jest.advanceTimersByTime(1000);
    meter.update(at(50));
    jest.advanceTimersByTime(1000);
    expect(stderr.text).toMatch(/Copying {3}0% {2}─+ {2}0 B of 100 MiB/);
    expect(stderr.text).toMatch(
      /Copying {2}50% {2}━+─+ {2}50\.0 MiB of 100 MiB {2}\d.* MiB\/s {2}\d s left {2}big\.tar/,
    );
    meter.update(at(100));
    meter.end();
    const [, last = ''] = stderr.text.split(/(?=Copied)/);
    expect(last).toBe('Copied 1 object, 100 MiB in 2 s (43.5 MiB/s).\n'.replace('1 object', '0 objects'));
    // The cursor is shown again, and the line cleared.
    expect(stderr.text).toContain('\u001b[?25h');
    expect(stderr.text.lastIndexOf('\u001b[2K')).toBeGreaterThan(stderr.text.lastIndexOf('100%'));
    expect(jest.getTimerCount()).toBe(0);
  });

  test('makes way for a line', () => {
    const { stderr, err, meter } = begin();
    meter.update(at(10));
    jest.advanceTimersByTime(500);
    err.line('something');
    expect(stderr.text).toMatch(/\u001b\[2Ksomething\n$/);
    jest.advanceTimersByTime(500);
    expect(stderr.text.slice(stderr.text.indexOf('something'))).toMatch(/Copying {2}10%/);
    meter.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('without a terminal', () => {
  const copy = async (...more: string[]) => {
    const stores = lasting();
    await put(stores.open('memory://meter/').store, { a: Buffer.alloc(20 * MiB), b: 'b' });
    let now = 0;
    const given = { stores, now: () => (now += 6000) };
    return cli(['cp', '-r', 'memory://meter/', 'memory://metered/', '--no-resume', ...more], given);
  };
  afterEach(async () => {
    const stores = lasting();
    for (const bucket of ['meter', 'metered'])
      await cli(['rm', '-r', '--whole-bucket', `memory://${bucket}`], { stores });
  });

  test('prints a line now and then, without escapes', async () => {
    const { code, out, err } = await copy();
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(err).toMatch(/^Copying: \d.*\n/);
    expect(err).toMatch(/\nCopied 2 objects, 20\.0 MiB in .*\.\n$/);
    expect(err).not.toContain('\u001b');
  });

  test('prints JSON records', async () => {
    const { out, err } = await copy('--json');
    expect(records(err)[0]).toMatchObject({
      type: 'progress',
      bytes: { done: anyNumber },
    });
    expect(records(out)).toMatchObject([
      { type: 'copied', objects: 2, bytes: 20 * MiB + 1, seconds: anyNumber },
    ]);
  });

  test('prints nothing with --quiet', async () => {
    expect(await copy('--quiet')).toMatchObject({ code: 0, out: '', err: '' });
  });
});

describe('--no-clobber with many existing files', () => {
  const stores = lasting();
  const [from, to] = [stores.open('memory://many/').store, stores.open('memory://kept/').store];
  const old = Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`k${i}`, 'old']));

  test('cp copies the missing files and succeeds', async () => {
    await put(from, Object.fromEntries(Object.keys(old).map((key) => [key, 'newer'])));
    await put(from, { z: 'new' });
    await put(to, old);
    const { code, err } = await cli(['cp', '-n', '-r', 'memory://many/', 'memory://kept/'], { stores });
    expect({ code, err: err.replace(/ in \d+ s \([^)]*\)/, '') }).toEqual({
      code: 0,
      err: 'Copied 1 object, 3 B. 1,100 were there already.\n',
    });
    expect((await contents(to, 'z'))['z']).toBe('new');
    expect((await contents(to, 'k10'))['k10']).toBe('old');
  });

  test('mv moves the missing files and leaves the others in place', async () => {
    await put(stores.open('memory://source/').store, { a: '1', b: '2', c: '3' });
    await put(stores.open('memory://target/').store, { b: 'old' });
    const { code, err } = await cli(['mv', '-n', 'memory://source/', 'memory://target/'], { stores });
    expect({ code, err: err.replace(/ in \d+ s \([^)]*\)/, '') }).toEqual({
      code: 0,
      err: 'Not replaced: memory://source/b has an object at its target.\nMoved 2 objects, 2 B.\n',
    });
    expect(await contents(stores.open('memory://source/').store)).toEqual({ b: '2' });
    expect(await contents(stores.open('memory://target/').store)).toEqual({ a: '1', b: 'old', c: '3' });
  });
});
