import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { dataset, type Dataset } from '../../examples/main-job/dataset.js';
import { lines, slices, type WebEvent } from '../../examples/main-job/generate.js';

const set = { events: 24_000, seed: 7 };

function all(options = set): string {
  return slices(options)
    .map((slice) => Buffer.concat([...lines(options, slice)]).toString())
    .join('');
}

const parsed = (text: string): WebEvent[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as WebEvent);

describe('the generated events', () => {
  it('are the same bytes for the same options, and others for another seed', () => {
    const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
    expect(sha(all())).toBe('18477db6fe8d1ca341b6e0b092422ac9e7192b14b7ab2e09f83c3692db94df4e');
    expect(all({ ...set, seed: 8 })).not.toBe(all());
  });

  it('have the ids 1 to N, each once, in order', () => {
    expect(parsed(all()).map(({ id }) => id)).toEqual(Array.from({ length: set.events }, (_, i) => i + 1));
  });

  it('take 150 to 170 bytes a line', () => {
    const mean = Buffer.byteLength(all()) / set.events;
    expect(mean).toBeGreaterThan(150);
    expect(mean).toBeLessThan(170);
  });

  it('have skewed users, several days and stragglers', () => {
    const events = parsed(all());
    const byUser = new Map<string, number>();
    for (const { user } of events) byUser.set(user, (byUser.get(user) ?? 0) + 1);
    expect(Math.max(...byUser.values())).toBeGreaterThan((20 * events.length) / byUser.size);
    expect(new Set(events.map(({ at }) => at.slice(0, 10))).size).toBeGreaterThanOrEqual(4);
    const late = events.filter(({ at }, i) => i > 0 && at < (events[i - 1]?.at ?? '')).length;
    expect(late / events.length).toBeGreaterThan(0.003);
    expect(late / events.length).toBeLessThan(0.03);
  });

  it('spread over eight plain objects and four gzipped ones', () => {
    expect(
      slices(set)
        .map(({ gzip }) => gzip)
        .filter(Boolean),
    ).toHaveLength(4);
    expect(slices(set)).toHaveLength(12);
    expect(slices(set).reduce((sum, { events }) => sum + events, 0)).toBe(set.events);
  });
});

describe('the cache of generated sets', () => {
  let cache: string;
  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'millrace-cache-'));
  });
  afterEach(async () => {
    await rm(cache, { recursive: true });
  });

  const content = async (made: Dataset): Promise<string> => {
    let text = '';
    for (const { name } of made.files) {
      const bytes = await readFile(join(made.dir, name));
      text += (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
    }
    return text;
  };

  it('contains what the generator returns, and is not written twice', async () => {
    const made = await dataset(cache, set);
    expect(await content(made)).toBe(all());
    const written = (await stat(join(made.dir, 'set.json'))).mtimeMs;
    expect(await dataset(cache, set)).toEqual(made);
    expect((await stat(join(made.dir, 'set.json'))).mtimeMs).toBe(written);
  });

  it('generates a set again that was interrupted or damaged', async () => {
    const made = await dataset(cache, set);
    const dead = `${made.dir}.999999999.tmp`;
    await mkdir(dead);
    await writeFile(join(dead, 'half'), 'half');
    await rm(join(made.dir, 'set.json'));
    expect(await dataset(cache, set)).toEqual(made);
    await truncate(join(made.dir, made.files[3]!.name), 10);
    expect(await content(await dataset(cache, set))).toBe(all());
    expect(await readdir(cache)).toHaveLength(1);
  });
});
