import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { startGateway, type Gateway } from '../../../src/store/gateway/index.js';
import { createMemoryStore } from '../../../src/store/memory/index.js';
import type { ObjectStore } from '../../../src/store/objectStore.js';
import { answer, credentials } from '../../store/s3support.js';
import { cli } from '../support.js';
import { effort } from '../../support/effort.js';

/** Names that are easily joined, split, globbed, decoded or printed wrongly. */
const awkward = fc.oneof(
  fc.constantFrom(
    ...[
      '.',
      '..',
      '',
      ' ',
      'a b',
      '+',
      '%',
      '%25',
      '%2F',
      '*',
      '?',
      '[a]',
      '{a,b}',
      '!',
      '\\',
      '~',
      '-',
      '#x',
      'x?y',
    ],
    ...[
      'é',
      'e\u0301',
      '日本',
      '🦊',
      '\t',
      'a\nb',
      '.millrace',
      '%_',
      '%o',
      'a%+',
      '\u202e',
      '__proto__',
      'CON',
    ],
    'n'.repeat(250),
  ),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0')),
);
const key = fc
  .array(awkward, { minLength: 1, maxLength: 4 })
  .map((names) => names.join('/'))
  // A key that ends in a slash is the marker of a directory.
  .filter(
    (text) =>
      text !== '' && !text.endsWith('/') && Buffer.byteLength(text) < 700 && !/\p{Surrogate}/u.test(text),
  );
const objects = fc
  .uniqueArray(fc.tuple(key, fc.uint8Array({ maxLength: 20 })), {
    minLength: 1,
    maxLength: 6,
    selector: ([name]) => name,
  })
  .map((all) => new Map(all));

describe('cp round trips', () => {
  let lake: ObjectStore;
  let gateway: Gateway;
  let directory: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
    lake = createMemoryStore();
    gateway = await startGateway({ buckets: { lake }, credentials });
    env = {
      S3_ENDPOINT: gateway.endpoint,
      S3_ACCESS_KEY: credentials.accessKeyId,
      S3_SECRET_KEY: credentials.secretAccessKey,
    };
  });
  afterAll(async () => {
    await gateway.close();
    await rm(directory, { recursive: true });
  });

  const read = async (prefix: string): Promise<Map<string, Uint8Array>> => {
    const { objects: infos } = await answer(lake.list({ prefix }));
    const found = new Map<string, Uint8Array>();
    for (const info of infos) {
      const { chunks } = await answer(lake.get(info.key));
      found.set(info.key.slice(prefix.length), new Uint8Array(Buffer.concat(chunks)));
    }
    return found;
  };
  const byName = (all: ReadonlyMap<string, Uint8Array>): [string, Uint8Array][] =>
    [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  let round = 0;

  test('a directory is copied there and back with the same names and bytes', async () => {
    await fc.assert(
      fc.asyncProperty(objects, async (all) => {
        const [there, back, local] = [`there${++round}/`, `back${round}/`, `${directory}/${round}/`];
        for (const [name, body] of all) await answer(lake.put(there + name, Buffer.from(body)));
        const down = await cli(['cp', '-r', `s3://lake/${there}`, local], { env });
        expect(down).toMatchObject({ code: 0, out: '' });
        const up = await cli(['cp', '-r', local, `s3://lake/${back}`], { env });
        expect(up).toMatchObject({ code: 0, out: '' });
        expect(byName(await read(back))).toEqual(byName(all));
      }),
      { numRuns: effort(6, 30) },
    );
  });

  test('an object that `ls --json` lists is the one that `cat` prints, `cp` copies and `rm` removes', async () => {
    await fc.assert(
      fc.asyncProperty(key, fc.uint8Array({ maxLength: 20 }), async (name, body) => {
        const prefix = `one${++round}/`;
        await answer(lake.put(prefix + name, Buffer.from(body)));
        await answer(lake.put(`${prefix}other`, Buffer.from('other')));
        const listed = await cli(['ls', '-r', '--json', `s3://lake/${prefix}`], { env });
        const uris = listed.out
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { uri: string }).uri);
        fc.pre(name !== 'other');
        const [uri = ''] = uris.filter((one) => one !== `s3://lake/${prefix}other`);
        expect(new Uint8Array((await cli(['cat', uri], { env })).bytes)).toEqual(body);
        expect((await cli(['cp', uri, `s3://lake/${prefix}copy`], { env })).code).toBe(0);
        expect((await cli(['rm', uri], { env })).code).toBe(0);
        expect(byName(await read(prefix))).toEqual(
          byName(
            new Map([
              ...(name === 'copy' ? [] : [['copy', body] as const]),
              ['other', new Uint8Array(Buffer.from('other'))],
            ]),
          ),
        );
      }),
      { numRuns: effort(6, 30) },
    );
  });

  test('the name of a local file is taken literally', async () => {
    await fc.assert(
      fc.asyncProperty(awkward, fc.uint8Array({ maxLength: 20 }), async (name, body) => {
        // What a file system takes as a name.
        fc.pre(
          !['', '.', '..', '.millrace', '-'].includes(name) &&
            !/[/]/.test(name) &&
            Buffer.byteLength(name) < 240,
        );
        fc.pre(!/^%(_|2E)|%([+od]$|25|00)/.test(name));
        const cwd = await mkdtemp(join(directory, 'named-'));
        const { writeFile, readFile } = await import('node:fs/promises');
        await writeFile(join(cwd, name), body);
        expect(
          await cli(['cp', '--', `./${name}`, `s3://lake/named${++round}/`], { env, cwd }),
        ).toMatchObject({ code: 0 });
        expect(byName(await read(`named${round}/`))).toEqual([[name, body]]);
        await cli(['cp', '-r', `s3://lake/named${round}/`, 'back/'], { env, cwd });
        expect(new Uint8Array(await readFile(join(cwd, 'back', name)))).toEqual(body);
      }),
      { numRuns: effort(6, 30) },
    );
  });
});
