import { MillraceError } from '../../errors.js';
import { PoisonBatch, PublishFailed } from '../outbox/errors.js';

/** SQLSTATE classes that are about the state of the server or the connection, or about other transactions. */
const passing = /^(08|40|53|55|57|58|25P0[34])/;
/** Classes that are about the values: data exception, integrity constraint violation, with check option. */
const aboutData = /^(21|22|23|44)/;

/**
 * An error of `pg` as one that decides what happens to the batch. Without a SQLSTATE, the connection failed.
 *
 * The message has the server's code and names, and not its text or detail, which may contain data.
 *
 * Errors: `PublishFailed`, `PoisonBatch`, `PostgresRefused`.
 */
export function failureOf(error: unknown, sink: string): unknown {
  if (!(error instanceof Error) || error instanceof MillraceError) return error;
  const { code, table, column, constraint } = error as Error &
    Readonly<Partial<Record<'code' | 'table' | 'column' | 'constraint', unknown>>>;
  const state = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
  const what = `PostgreSQL, target of sink '${sink}'`;
  if (state === undefined) {
    if (!isOfConnection(error, code)) return error;
    const why = typeof code === 'string' ? code : 'the connection ended';
    return new PublishFailed(`${what}, cannot be reached (${why}). Check the server and the network.`, {
      cause: error,
    });
  }
  const where = [table, column, constraint].filter((each) => typeof each === 'string').join(', ');
  const named = `SQLSTATE ${state}${where === '' ? '' : `: ${where}`}`;
  if (passing.test(state))
    return new PublishFailed(`${what}, cannot take a batch now (${named}). Check the server.`, {
      cause: error,
    });
  if (aboutData.test(state)) return new PoisonBatch(`${what}, refuses a batch (${named}).`, { cause: error });
  return new MillraceError(
    'PostgresRefused',
    `${what}, refuses the statement (${named}). Check the names of table and columns, the rights of the user, and that the tables exist: createTable and createMarks make them.`,
    { cause: error },
  );
}

/** Of a socket, of TLS, or of `pg` itself, as opposed to errors of statements in a callback. */
function isOfConnection({ message }: Error, code: unknown): boolean {
  return (
    (typeof code === 'string' && /^E[A-Z]+$/.test(code)) ||
    /connection|terminat|timeout|ECONN|pool/i.test(message)
  );
}
