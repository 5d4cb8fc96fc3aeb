import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as rxjs from 'rxjs';
import ts from 'typescript';
import * as millrace from '../../src/index.js';
import * as path from '../../src/path/index.js';
import * as testing from '../../src/testing/index.js';

const root = resolve(import.meta.dirname, '../..');

/** What an example may use without saying so. */
const context: Readonly<Record<string, string>> = {
  job: 'declare const job: import("millrace").Job;',
  Visit: 'interface Visit { user: string; kind: string; at: string; day: string }',
  visits:
    'declare const visits: import("millrace").Flow<{ user: string; kind: string; at: string; day: string }>;',
  flow: 'declare const flow: import("millrace").Flow<{ user: string; kind: string; at: string; day: string }>;',
  clicks: 'declare const clicks: import("millrace").Flow<{ user: string; day: string; clicks: number }>;',
  store: 'declare const store: import("millrace").ObjectStore;',
  credentials: 'declare const credentials: { accessKeyId: string; secretAccessKey: string };',
  accessKeyId: 'declare const accessKeyId: string;',
  secretAccessKey: 'declare const secretAccessKey: string;',
  Money:
    'declare class Money { cents: number; currency: string; static parse(text: string, currency?: string): Money }',
  fc: 'import fc from "fast-check";',
};

interface Example {
  readonly name: string;
  readonly code: string;
}

/** The fenced TypeScript of a Markdown text. */
function fenced(name: string, text: string): Example[] {
  return [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((match, i) => ({
    name: `${name} ${i + 1}`,
    code: match[1] ?? '',
  }));
}

function docstrings(path: string): Example[] {
  const comments = readFileSync(join(root, path), 'utf8').match(/\/\*\*[\s\S]*?\*\//g) ?? [];
  return fenced(path, comments.map((comment) => comment.replace(/^\s*\* ?/gm, '')).join('\n'));
}

/** The example as a module: what it does not declare is imported, or declared from the context. */
function moduleOf({ code }: Example): string {
  const declared = new Set(
    [
      ...code.matchAll(/\b(?:const|let|using|class|interface|function|type)\s+(?:\{([^}]*)\}|(\w+))/g),
    ].flatMap(([, destructured, name]) => name ?? (destructured ?? '').split(/[\s,]+/)),
  );
  const uses = (name: string): boolean =>
    !declared.has(name) &&
    new RegExp(`(?<![.\\w'"/])${name}\\b(?!:)`).test(code) &&
    !new RegExp(`import[^;]*\\b${name}\\b`).test(code);
  const imports = Object.entries({
    rxjs,
    millrace,
    'millrace/testing': testing,
    '../../src/path/index.js': path,
  }).flatMap(([from, names]) => {
    const used = Object.keys(names).filter(
      (name) =>
        /^\w+$/.test(name) &&
        name !== 'default' &&
        name !== 'async' &&
        name !== 'using' &&
        // Some of the room's names are public: one import is enough.
        !(names === path && name in millrace) &&
        uses(name) &&
        !(name in context),
    );
    return used.length === 0 ? [] : [`import { ${used.join(', ')} } from '${from}';`];
  });
  const types = ['FlowOperator', 'Flow', 'Barrier', 'Serializer']
    .filter((name) => uses(name))
    .map((name) => `import type { ${name} } from 'millrace';`);
  const given = Object.entries(context).flatMap(([name, declaration]) => (uses(name) ? [declaration] : []));
  return [...imports, ...types, ...given, code, 'export {};'].join('\n');
}

const sources = (readdirSync(join(root, 'src'), { recursive: true }) as string[])
  .filter((path) => path.endsWith('.ts'))
  .map((path) => `src/${path}`);
const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((path) =>
  path.endsWith('.md'),
);
const examples = [
  ...pages.flatMap((path) => fenced(path, readFileSync(join(root, path), 'utf8'))),
  ...sources.flatMap(docstrings),
];

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
