import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as rxjs from 'rxjs';
import ts from 'typescript';
import * as operators from '../../src/entries/operators.js';
import * as stores from '../../src/entries/stores.js';
import * as operations from '../../src/fs/operations/index.js';
import * as millrace from '../../src/index.js';
import * as avro from '../../src/formats/avro/index.js';
import * as parquet from '../../src/formats/parquet/index.js';
import * as openTelemetry from '../../src/store/observe/openTelemetry.js';
import * as path from '../../src/path/index.js';
import * as postgres from '../../src/sinks/postgres/index.js';
import * as testing from '../../src/testing/index.js';

const root = resolve(import.meta.dirname, '../..');

/** What an example may use without saying so. */
const context: Readonly<Record<string, string>> = {
  job: 'declare const job: import("millrace").Job;',
  Visit: 'interface Visit { user: string; kind: string; page: string; at: string; day: string }',
  OutboxMark: 'type OutboxMark = import("millrace").OutboxMark;',
  Trip: 'interface Trip { id: number | bigint; fare: number | null }',
  Bid: 'interface Bid { item: string; price: number }',
  visits:
    'declare const visits: import("millrace").Flow<{ user: string; kind: string; at: string; day: string }>;',
  flow: 'declare const flow: import("millrace").Flow<{ user: string; kind: string; at: string; day: string }>;',
  clicks: 'declare const clicks: import("millrace").Flow<{ user: string; day: string; clicks: number }>;',
  store: 'declare const store: import("millrace/stores").ObjectStore;',
  credentials: 'declare const credentials: { accessKeyId: string; secretAccessKey: string };',
  accessKeyId: 'declare const accessKeyId: string;',
  secretAccessKey: 'declare const secretAccessKey: string;',
  Money:
    'declare class Money { cents: number; currency: string; static parse(text: string, currency?: string): Money }',
  pool: 'declare const pool: import("pg").Pool;',
  Pool: 'declare class Pool { end(): Promise<void> }',
  fc: 'import fc from "fast-check";',
};

/** What docstrings may use without an import: they are read next to what they show. A page imports each name once. */
const inDocstrings = {
  rxjs,
  millrace,
  'millrace/operators': operators,
  'millrace/stores': stores,
  'millrace/testing': testing,
  'millrace/operations': operations,
  'millrace/avro': avro,
  'millrace/parquet': parquet,
  'millrace/postgres': postgres,
  'millrace/opentelemetry': openTelemetry,
  '../../src/path/index.js': path,
};

interface Example {
  readonly name: string;
  readonly code: string;
  /** Modules whose names are imported where the example uses them. */
  readonly implied: Readonly<Record<string, object>>;
}

/** The fenced TypeScript of a Markdown text. What one example imports, those after it on the page may use. */
function fenced(name: string, text: string, implied: Example['implied'] = {}): Example[] {
  const shown: Record<string, Record<string, unknown>> = {};
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = ''], i) => {
    const example = { name: `${name} ${i + 1}`, code, implied: { ...implied, ...structuredClone(shown) } };
    for (const [, names = '', from = ''] of code.matchAll(
      /^import \{([^}]*)\} from '(rxjs|millrace(?:\/\w+)?)';/gm,
    ))
      for (const word of names.split(',')) (shown[from] ??= {})[word.trim()] = true;
    return example;
  });
}

function docstrings(path: string): Example[] {
  const comments = readFileSync(join(root, path), 'utf8').match(/\/\*\*[\s\S]*?\*\//g) ?? [];
  const text = comments.map((comment) => comment.replace(/^\s*\* ?/gm, '')).join('\n');
  return fenced(path, text, inDocstrings);
}

/** The example as a module: what it does not declare is imported, or declared from the context. */
function moduleOf({ code, implied }: Example): string {
  const declared = new Set(
    [
      ...code.matchAll(/\b(?:const|let|using|class|interface|function|type)\s+(?:\{([^}]*)\}|(\w+))/g),
    ].flatMap(([, destructured, name]) => name ?? (destructured ?? '').split(/[\s,]+/)),
  );
  const uses = (name: string): boolean =>
    !declared.has(name) &&
    new RegExp(`(?<![.\\w'"/])${name}\\b(?!:)`).test(code) &&
    !new RegExp(`import[^;]*\\b${name}\\b`).test(code);
  const imported = new Set<string>();
  const imports = Object.entries(implied).flatMap(([from, names]) => {
    const used = Object.keys(names).filter(
      (name) =>
        /^\w+$/.test(name) &&
        !['default', 'async', 'using'].includes(name) &&
        !(name in context) &&
        !imported.has(name) &&
        uses(name),
    );
    for (const name of used) imported.add(name);
    return used.length === 0 ? [] : [`import { ${used.join(', ')} } from '${from}';`];
  });
  const types = Object.entries({ Flow: '', FlowOperator: '', Serializer: '', Barrier: '/operators' })
    .filter(([name]) => uses(name))
    .map(([name, entry]) => `import type { ${name} } from 'millrace${entry}';`);
  const given = Object.entries(context).flatMap(([name, declaration]) => (uses(name) ? [declaration] : []));
  return [...imports, ...types, ...given, code, 'export {};'].join('\n');
}

const sources = (readdirSync(join(root, 'src'), { recursive: true }) as string[])
  .filter((path) => path.endsWith('.ts'))
  .map((path) => `src/${path}`);
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((path) =>
  path.endsWith('.md'),
);
/** Files that a page shows whole are compiled as files. */
const shown = new Set(
  ['examples', 'examples/outbox', 'test/docs/examples'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(root, folder, name), 'utf8')),
  ),
);
const examples = [
  ...pages.flatMap((path) => fenced(path, readFileSync(join(root, path), 'utf8'))),
  ...sources.flatMap(docstrings),
].filter(({ code }) => !shown.has(code));

test('every example in the README, in docs/ and in docstrings compiles', () => {
  const files = new Map(
    examples.map((example, i) => [join(root, 'test/docs', `example${i}.ts`), moduleOf(example)]),
  );
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  host.getSourceFile = (path, target, ...rest) => {
    const code = files.get(path);
    return code === undefined
      ? getSourceFile(path, target, ...rest)
      : ts.createSourceFile(path, code, target, true);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  const names = [...files.keys()];
  const problems = names.flatMap((path, i) => {
    const source = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) =>
        `${examples[i]?.name ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}\n${files.get(path) ?? ''}`,
    );
  });
  expect(examples.length).toBeGreaterThan(20);
  expect(problems).toEqual([]);
});
