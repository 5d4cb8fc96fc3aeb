import { join, relative } from 'node:path';
import ts from 'typescript';
import { CheckpointError } from '../../src/entries/operators.js';
import type { MillraceError } from '../../src/index.js';
import { StoreError } from '../../src/entries/stores.js';

const root = join(import.meta.dirname, '../..');

/** One code as the source raises it. */
export interface RaisedCode {
  /** The folders of `src` that raise it. */
  readonly rooms: ReadonlySet<string>;
  readonly retryable: ReadonlySet<'yes' | 'no' | 'as its cause'>;
}

/** The part of an error that the source shows at this place. */
interface Site {
  readonly room: string;
  readonly file: string;
  /** The class of the error. */
  readonly type: string;
  readonly codes: readonly string[];
  readonly retryable: 'yes' | 'no' | 'as its cause';
  /** All strings among its arguments, with `…` for what is filled in. */
  readonly messages: readonly string[];
}

let sites: readonly Site[] | undefined;

/** Every place in `src` that makes a `MillraceError`. Reads the whole source once: some seconds. */
export function errorSites(): readonly Site[] {
  return (sites ??= findSites());
}

let raised: ReadonlyMap<string, RaisedCode> | undefined;

export function raisedCodes(): ReadonlyMap<string, RaisedCode> {
  return (raised ??= findCodes());
}

function findCodes(): ReadonlyMap<string, RaisedCode> {
  const codes = new Map<string, { rooms: Set<string>; retryable: Set<Site['retryable']> }>();
  for (const site of errorSites()) {
    const { room, codes: own } = site;
    // Errors of the command itself end it with an exit code: docs/cli.md.
    if (room === 'cli') continue;
    for (const code of own) {
      const known = codes.get(code) ?? { rooms: new Set(), retryable: new Set() };
      known.rooms.add(room);
      known.retryable.add(retryableOf(code, site));
      codes.set(code, known);
    }
  }
  return codes;
}

/** Two classes decide by the code. */
const deciding: Readonly<Record<string, (code: never) => MillraceError>> = {
  StoreError: (code) => new StoreError(code, ''),
  CheckpointError: (code) => new CheckpointError(code, ''),
};

function retryableOf(code: string, { type, retryable }: Site): Site['retryable'] {
  const error = deciding[type]?.(code as never);
  if (error === undefined) return retryable;
  return error.retryable ? 'yes' : 'no';
}

function findSites(): Site[] {
  const read = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options, fileNames } = ts.parseJsonConfigFileContent(read.config, ts.sys, root);
  const sources = fileNames.filter((path) => path.startsWith(join(root, 'src/')));
  const program = ownProgram(sources, { ...options, types: [] });
  const checker = program.getTypeChecker();
  return program.getSourceFiles().flatMap((file) => {
    const path = relative(root, file.fileName);
    if (!path.startsWith('src/')) return [];
    const found: Site[] = [];
    const visit = (node: ts.Node): void => {
      const site = siteOf(node, checker);
      if (site !== undefined) found.push({ ...site, file: path, room: path.split('/')[1] ?? '' });
      ts.forEachChild(node, visit);
    };
    visit(file);
    return found;
  });
}

/** Of modules of ours alone: the declarations of packages take longer to read than all of `src`, and declare no errors of ours. */
function ownProgram(sources: readonly string[], options: ts.CompilerOptions): ts.Program {
  const host = ts.createCompilerHost(options);
  host.resolveModuleNameLiterals = (literals, from) =>
    literals.map(({ text }) =>
      /^(\.|#src\/)/.test(text)
        ? ts.resolveModuleName(text, from, options, host)
        : { resolvedModule: undefined },
    );
  return ts.createProgram(sources, options, host);
}

function siteOf(node: ts.Node, checker: ts.TypeChecker): Omit<Site, 'room' | 'file'> | undefined {
  const calls = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.SuperKeyword;
  if (!calls && !ts.isNewExpression(node)) return undefined;
  const signature = checker.getResolvedSignature(node);
  if (signature === undefined || !isMillraceError(signature.getReturnType())) return undefined;
  const given = node.arguments ?? [];
  const maker = calls ? ts.findAncestor(node, ts.isClassDeclaration)?.name?.text : undefined;
  const made = signature.getReturnType().symbol.name;
  const at = signature.getParameters().findIndex(({ name }) => name === 'code');
  const code = at < 0 ? undefined : given[at];
  return {
    type: made === 'MillraceError' ? (maker ?? made) : made,
    codes: code === undefined ? [] : valuesOf(checker.getTypeAtLocation(code)),
    retryable: retryableIn(given),
    messages: given.flatMap(stringsIn),
  };
}

function isMillraceError(type: ts.Type): boolean {
  // A union has no symbol.
  const { symbol } = type as { readonly symbol?: ts.Symbol };
  return symbol?.name === 'MillraceError' || (type.getBaseTypes() ?? []).some(isMillraceError);
}

/** A code that is only a `string` shows as `string`. */
function valuesOf(type: ts.Type): string[] {
  const each = type.isUnion() ? type.types : [type];
  return each.map((part) => (part.isStringLiteral() ? part.value : 'string'));
}

function retryableIn(given: readonly ts.Expression[]): Site['retryable'] {
  for (const argument of given) {
    if (!ts.isObjectLiteralExpression(argument)) continue;
    for (const property of argument.properties) {
      if (property.name?.getText() !== 'retryable') continue;
      const { kind } = ts.isPropertyAssignment(property) ? property.initializer : property;
      return kind === ts.SyntaxKind.TrueKeyword ? 'yes' : 'as its cause';
    }
  }
  return 'no';
}

function stringsIn(node: ts.Node): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text];
  if (ts.isTemplateExpression(node)) {
    const text = node.templateSpans.reduce((all, { literal }) => `${all}…${literal.text}`, node.head.text);
    return [text, ...node.templateSpans.flatMap(({ expression }) => stringsIn(expression))];
  }
  const parts: string[] = [];
  ts.forEachChild(node, (child) => void parts.push(...stringsIn(child)));
  return parts;
}
