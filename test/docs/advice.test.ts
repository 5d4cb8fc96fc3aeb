/**
 * Messages name only what exists: users can find every function, option, configuration key and flag in them.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as rxjs from 'rxjs';
import ts from 'typescript';
import { schema } from '../../src/config/schema/index.js';

const root = join(import.meta.dirname, '../..');
const files = execFileSync('git', ['ls-files', 'src/*.ts'], { cwd: root, encoding: 'utf8' })
  .trim()
  .split('\n');
/** A list of S3's own words; SQL; what tests are called. */
const noMessages = /^src\/(store\/gateway\/router\.ts|sinks\/postgres\/(marks|table)\.ts|testing\/store\/)/;

interface Message {
  readonly file: string;
  readonly text: string;
}

const messages: Message[] = [];
const exported = new Set<string>();
/** Names of properties and methods, and of them those of options. */
const members = new Set<string>();
const options = new Set<string>();
const flags = new Set<string>();

/** What a user can import, name in options, or pass to the command; and all messages: strings of several words. */
function read(file: string): void {
  const source = ts.createSourceFile(
    file,
    readFileSync(join(root, file), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const isEntry =
    /^src\/(index|entries\/\w+|testing\/index|formats\/(avro|parquet)\/index|sinks\/postgres\/index|fs\/(operations|promises)\/index)\.ts$/.test(
      file,
    );
  const visit = (node: ts.Node): void => {
    if (ts.isExportSpecifier(node) && isEntry) exported.add(node.name.text);
    if (
      (ts.isPropertySignature(node) || ts.isMethodSignature(node) || ts.isMethodDeclaration(node)) &&
      ts.isIdentifier(node.name)
    ) {
      members.add(node.name.text);
      const holder = ts.findAncestor(
        node,
        (each) => ts.isInterfaceDeclaration(each) || ts.isTypeAliasDeclaration(each),
      );
      if (holder !== undefined && /Options$|^Config$/.test(holder.name?.text ?? ''))
        options.add(node.name.text);
    }
    if (
      ts.isImportDeclaration(node) ||
      (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
    ) {
      node.forEachChild((child) => {
        if (!ts.isStringLiteral(child)) visit(child);
      });
      return;
    }
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) add(node.text);
    else if (ts.isTemplateExpression(node))
      add(node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join(''));
    node.forEachChild(visit);
  };
  const add = (text: string): void => {
    for (const [flag] of file.startsWith('src/cli/') ? text.matchAll(/^(-\w, )?--[\w-]+/g) : [])
      flags.add(flag.replace(/^-\w, /, ''));
    if (/[a-z]\S* \S*[a-z]\S* /.test(text) && !noMessages.test(file)) messages.push({ file, text });
  };
  visit(source);
}
files.forEach(read);

const keys: readonly string[] = schema.map(({ key }) => key);
/** Of other tools, of HTTP, and of JavaScript. */
const foreign = new Set([
  ...['iconv', 'ulimit', 'mkdir', 'aws', 'npm'],
  ...['encodeURIComponent', 'JavaScript', 'toString', 'millrace.yaml', 'network.io.direction', 'http.Agent'],
  ...['--x-s3', '--xa-s3'],
]);

const exists = (word: string): boolean =>
  exported.has(word) || members.has(word) || word in rxjs || foreign.has(word);

/** What a message names that looks like code, and does not exist. */
function missing({ text }: Message): string[] {
  const found: string[] = [];
  for (const [, name = ''] of text.matchAll(/(?<![\w.:/])([A-Za-z]\w*)\(/g))
    if (!exists(name)) found.push(`${name}(`);
  for (const [name] of text.matchAll(/(?<![\w./:@%-])[a-z]+[A-Z]\w*\b(?!\()/g))
    if (!exists(name)) found.push(name);
  for (const [name] of text.matchAll(/(?<![\w./:@%…-])[a-z][\w-]*(\.[a-z][\w-]*)+(?![\w(/])/gi)) {
    const known = keys.includes(name) || keys.some((key) => key.startsWith(`${name}.`));
    const [first = '', ...rest] = name.split('.');
    const option = rest.every((piece) => options.has(piece)) && (options.has(first) || exists(first));
    if (!known && !option && !foreign.has(name) && !/\.(csv|tar)$/.test(name)) found.push(name);
  }
  for (const [, name = ''] of text.matchAll(/(?<![\w.$-])([a-z]\w*): (?=true|false|'[a-z])/g))
    if (!options.has(name)) found.push(name);
  for (const [flag] of text.matchAll(/(?<![\w-])--[a-z][\w-]*/g))
    if (!flags.has(flag) && !foreign.has(flag)) found.push(flag);
  return found;
}

test('every function, option, key and flag in a message exists', () => {
  const wrong = messages.flatMap((message) =>
    missing(message).map((name) => `${message.file}: ${name} in: ${message.text}`),
  );
  expect(wrong).toEqual([]);
});

test('names that do not exist are found', () => {
  for (const text of [
    'Use mapAsync(…) instead.',
    'Leave it to asyncWork of the operator.',
    'Set checkpoints.leniency to more.',
    'Set execution.checkpointing.retries to more.',
    'Repeat with --force-all added.',
  ])
    expect([text, missing({ file: '', text }).length]).toEqual([text, 1]);
  for (const text of [
    'Lift it with records(…), or use values().',
    'Set checkpoints.timeout, or execution.checkpointing.timeout.',
    'Add --recursive to remove everything in it.',
  ])
    expect([text, missing({ file: '', text })]).toEqual([text, []]);
});
