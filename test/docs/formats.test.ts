import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as rxjs from 'rxjs';
import ts from 'typescript';
import * as millrace from '../../src/index.js';
import { createMemoryStore, createStores, listAll } from '../../src/entries/stores.js';

const root = resolve(import.meta.dirname, '../..');

type Run = (...names: readonly unknown[]) => Promise<void>;

/** The example of a page, with what it imports as arguments. */
function programOf(page: string, names: readonly string[]): Run {
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, page), 'utf8')) ?? [];
  const { outputText } = ts.transpileModule(code.replace(/^import .*$/gm, ''), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const body = outputText.replace(/^export \{\};?$/gm, '');
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is our own page
  return new Function(...names, `return (async () => {${body}})();`) as Run;
}

test('the example of docs/formats.md keeps every digit', async () => {
  const lake = createMemoryStore({ uri: 'memory://lake' });
  const stores = createStores({ schemes: { memory: () => lake } });
  const large = '{"id":144126219108390099,"text":"kept"}\n';
  await rxjs.lastValueFrom(
    lake.put(
      'raw/a.ndjson',
      Buffer.from(`{"id":1,"text":"dropped"}\n${large}{"id":144126219108389999,"text":"dropped"}\n`),
    ),
  );
  const { fileSink, files, ndjson, records } = millrace;
  const filter = (keep: (value: unknown) => boolean) => rxjs.filter(keep);
  const createJob = (options: millrace.JobOptions) => millrace.createJob({ ...options, stores });
  const program = programOf('docs/formats.md', [
    'createJob',
    'fileSink',
    'files',
    'ndjson',
    'records',
    'filter',
  ]);
  await program(createJob, fileSink, files, ndjson, records, filter);
  const [page] = await rxjs.lastValueFrom(listAll(lake, 'posts/').pipe(rxjs.toArray()));
  const bodies = await Promise.all((page ?? []).map(({ key }) => rxjs.lastValueFrom(lake.get(key))));
  expect(bodies.map(({ chunks }) => Buffer.concat(chunks).toString())).toEqual([large]);
});
