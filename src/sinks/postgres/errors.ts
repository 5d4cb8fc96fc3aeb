import { MillraceError } from '../../errors.js';
import { PoisonBatch, PublishFailed } from '../outbox/errors.js';

/** SQLSTATE classes that are about the state of the server or the connection, or about other transactions. */
const passing = /^(08|40|53|55|57|58|25P0[34]|25006)/;
/**
 * Classes that are about the values: data exception, integrity constraint violation, with check option, a limit of the server, and
 * what a trigger or a function raises.
 */
const aboutData = /^(21|22|23|44|54|P0001)/;
/** What CREATE TABLE IF NOT EXISTS fails with if another transaction creates the table, which it checks only at first. */
const alreadyThere = new Set(['23505', '42710', '42P07']);
const undefinedColumn = '42703';
const notTheOwner = '42501';
/** Of `pg` itself, which gives these no code. */
const ofConnection =
  /^(Connection terminated|Client (has encountered a connection error|was closed)|Query read timeout)/;

const messageOf = (sink: string): string => `PostgreSQL, target of sink '${sink}'`;

/**
 * An error of a statement of the sink, or of connecting, as one that decides what happens to the batch. Without a SQLSTATE of the
 * server, it is about the connection: the network, TLS, the login, a client that is closed.
 *
 * The message has the server's code and the names of what it is about. The server's text is there only if the statement itself is
 * refused: texts about values quote them, and so do detail and hint, which are only in `cause`.
 *
 * Errors: `PublishFailed`, `PoisonBatch`, `PostgresRefused`.
 */
export function failureOf(error: unknown, sink: string): MillraceError {
  if (error instanceof MillraceError) return error;
  return ofServer(error, sink) ?? unreachable(error, sink);
}

/** An error of adding what tables of marks of earlier versions lack. @param upgrade the statement that does it */
export function upgradeFailureOf(error: unknown, sink: string, upgrade: string): MillraceError {
  if (stateOf(error) !== notTheOwner) return failureOf(error, sink);
  return ofEarlierVersion(error, sink, upgrade);
}

/** An error of CREATE TABLE IF NOT EXISTS: another process may create the table as well. */
export function creationFailureOf(error: unknown, sink: string): MillraceError {
  const state = stateOf(error);
  if (state === undefined || !alreadyThere.has(state)) return failureOf(error, sink);
  return new PublishFailed(
    `${messageOf(sink)}: another process created a table at the same time (SQLSTATE ${state}). The next try finds it.`,
    { cause: error },
  );
}

/** An error of a statement about marks. @param upgrade the statement for tables of earlier versions */
export function marksFailureOf(error: unknown, sink: string, upgrade: string): MillraceError {
  if (stateOf(error) !== undefinedColumn) return failureOf(error, sink);
  return ofEarlierVersion(error, sink, upgrade);
}

function ofEarlierVersion(error: unknown, sink: string, upgrade: string): MillraceError {
  return new MillraceError(
    'PostgresRefused',
    `${messageOf(sink)}, has a table of marks of an earlier version. Its owner must run: ${upgrade}; if the sink connects as the owner, \`createMarks\` does that.`,
    { cause: error },
  );
}

/**
 * An error of `write`, which is passed on if it is neither of the server nor of the connection.
 *
 * @param lost the connection broke meanwhile, so whatever `write` failed with follows from that
 */
export function writeFailureOf(error: unknown, sink: string, lost: boolean): unknown {
  if (error instanceof MillraceError) return error;
  const failure = ofServer(error, sink);
  if (failure !== undefined) return failure;
  if (lost || isOfConnection(error)) return unreachable(error, sink);
  return error;
}

/** COMMIT after a statement has failed rolls back, without an error. */
export function rolledBack(sink: string): MillraceError {
  return new MillraceError(
    'PostgresRefused',
    `${messageOf(sink)}, rolled the batch back at COMMIT: a statement in \`write\` failed and its error was caught. Use a SAVEPOINT for statements that may fail, or let \`write\` fail.`,
  );
}

/** The server neither stores a mark nor has one. */
export function markless(sink: string, table: string): MillraceError {
  return new MillraceError(
    'PostgresRefused',
    `${messageOf(sink)}, did not store the mark of a batch in ${table}, and has none. Remove triggers, rules and row security from that table.`,
  );
}

/** Another attempt has stored the first mark of the sink since this one has looked. */
export function raced(sink: string): PublishFailed {
  return new PublishFailed(
    `${messageOf(sink)}: another attempt stored a mark at the same time. The next try finds it.`,
  );
}

function ofServer(error: unknown, sink: string): MillraceError | undefined {
  const state = stateOf(error);
  if (state === undefined) return undefined;
  const named = `SQLSTATE ${state}${namesOf(error as object)}`;
  const what = messageOf(sink);
  if (passing.test(state))
    return new PublishFailed(`${what}, cannot take a batch now (${named}). Check the server.`, {
      cause: error,
    });
  if (aboutData.test(state)) return new PoisonBatch(`${what}, refuses a batch (${named}).`, { cause: error });
  return new MillraceError(
    'PostgresRefused',
    `${what}, refuses the statement (${named})${textOf(error)}. Check the names of table and columns, the rights of the user, and that the tables exist: createTable and createMarks make them.`,
    { cause: error },
  );
}

const names = ['schema', 'table', 'column', 'dataType', 'constraint'] as const;

/** What the server names in the fields of an error. */
function namesOf(error: Readonly<Partial<Record<(typeof names)[number], unknown>>>): string {
  const found = names.flatMap((name) => {
    const value = error[name];
    if (typeof value !== 'string') return [];
    return `${name === 'dataType' ? 'type' : name} ${value}`;
  });
  return found.length === 0 ? '' : `: ${found.join(', ')}`;
}

/** The most characters of the server's text in a message. */
const longestText = 300;

/** What the server says about a statement that it does not run. */
function textOf(error: unknown): string {
  const { message } = error as { readonly message?: unknown };
  if (typeof message !== 'string' || message === '') return '';
  return `: "${message
    .replace(/[\p{C}\p{Z}]+/gu, ' ')
    .slice(0, longestText)
    .toWellFormed()}"`;
}

/** The SQLSTATE of a `DatabaseError` of `pg`. Codes of the system, such as EPIPE, may look like one, but have no severity. */
function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, severity } = error as Error & Readonly<Partial<Record<'code' | 'severity', unknown>>>;
  const isState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && typeof severity === 'string';
  return isState ? code : undefined;
}

/** Of a system call, or of `pg` itself, as opposed to errors of the code in `write`. */
function isOfConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return 'syscall' in error || ofConnection.test(error.message);
}

function unreachable(error: unknown, sink: string): PublishFailed {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  const why = typeof code === 'string' ? ` (${code})` : '';
  return new PublishFailed(
    `${messageOf(sink)}, cannot be reached${why}. Check the server, the network and the login; \`cause\` has more.`,
    { cause: error },
  );
}
