import { gunzipSync } from 'node:zlib';
import * as rxjs from 'rxjs';
import { z } from 'zod';
import * as millrace from '../../src/index.js';
import { createMemoryStore, createStores, listAll } from '../../src/entries/stores.js';
import { examplesOf, runExample } from './program.js';

/** Runs the example that has a job of this name over these objects. Returns the files below `out`. */
async function output(
  job: string,
  objects: Readonly<Record<string, string | Uint8Array>>,
  out: string,
): Promise<readonly string[]> {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  const stores = createStores({ schemes: { memory: () => lake } });
  for (const [key, content] of Object.entries(objects))
    await rxjs.lastValueFrom(lake.put(key, Buffer.from(content)));
  const code = examplesOf('docs/formats.md').find((each) => each.includes(`name: '${job}'`));
  if (code === undefined) throw new Error(`There is no job ${job}.`);
  const createJob = (options: millrace.JobOptions) => millrace.createJob({ ...options, stores });
  await runExample(code, { ...rxjs, ...millrace, z, createJob });
  const [page] = await rxjs.lastValueFrom(listAll(lake, out).pipe(rxjs.toArray()));
  const bodies = await Promise.all((page ?? []).map(({ key }) => rxjs.lastValueFrom(lake.get(key))));
  return bodies.map(({ chunks, info }) => {
    const body = Buffer.concat(chunks);
    return (info.key.endsWith('.gz') ? gunzipSync(body) : body).toString();
  });
}

describe('the examples of docs/formats.md', () => {
  test('a schema', async () => {
    const raw = 'WARN disk is full\n???\nINFO started\n';
    expect(await output('log', { 'log/a.txt': raw }, 'entries/')).toEqual([
      '{"level":"WARN","message":"disk is full"}\n{"level":"INFO","message":"started"}\n',
    ]);
  });

  test('CSV', async () => {
    const raw = 'sep=;\r\nitem;price\r\n"a ""b"", c";1,50\r\n\r\nd;2\r\n';
    expect(await output('orders', { 'orders/a.csv': raw }, 'prices/')).toEqual([
      'item,cents\n"a ""b"", c",150\nd,200\n',
    ]);
  });

  test('JSON arrays', async () => {
    const raw = '[{"name":"a","area":999},{"name":"b","area":1001}]';
    expect(await output('countries', { 'exports/a.json': raw }, 'large/')).toEqual([
      '[\n{"name":"b","area":1001}\n]\n',
    ]);
  });

  test('compressed output', async () => {
    const raw = '{"user":"a"}\n{"user":"b"}\n';
    expect(await output('archive', { 'visits/a.ndjson': raw }, 'archive/')).toEqual([raw]);
  });

  test('numbers keep every digit', async () => {
    const large = '{"id":144126219108390099,"text":"kept"}\n';
    const raw = `{"id":1,"text":"dropped"}\n${large}{"id":144126219108389999,"text":"dropped"}\n`;
    expect(await output('posts', { 'raw/a.ndjson': raw }, 'posts/')).toEqual([large]);
  });
});
